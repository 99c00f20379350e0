"""What axe-core finds wrong with the theme, mended in the pages it makes: a name for the search box."""


def on_post_page(output: str, **_: object) -> str:
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )
