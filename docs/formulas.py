"""Formulas of these pages become MathML when the site is built: browsers set it without a script, a font or a network.

Written as GitHub has them: blocks ```math ... ```, and $`...`$ within a line.
"""

import re
from typing import Any

from latex2mathml.converter import convert


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs' hook: the text of a page before it becomes HTML."""
    block = re.compile(r"^```math\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
    markdown = block.sub(
        lambda found: f'<div class="formula" tabindex="0">{convert(found[1], display="block")}</div>', markdown
    )
    return re.sub(r"\$`(.+?)`\$", lambda found: convert(found[1]), markdown)
