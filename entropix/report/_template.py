"""Filling the templates of this package: HTML with everything escaped, Markdown as it is."""

from __future__ import annotations

from typing import Any


def render(template: str, **values: Any) -> str:
    """Return a template of this package, filled.

    Args:
        template: its file name; what goes into `.html` is escaped.
        **values: all that it names.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("entropix.report", "."),
        autoescape=template.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)
