"""An answer's Markdown as lines: headings, lists, emphasis and code; every link is shown as its address.

The text is cleaned first, and nothing in it becomes a live link or a colour. Knows no widget.
"""

from functools import lru_cache
from io import StringIO

from rich.console import Console
from rich.markdown import Markdown
from rich.segment import Segment
from textual.content import Content

from engine.clean import clean_text


@lru_cache(maxsize=256)  # a chat is drawn five times per second while its newest turn grows
def markdown_lines(text: str, width: int) -> tuple[Content, ...]:
    """Return `text` as lines of at most `width` cells."""
    console = Console(file=StringIO(), width=max(width, 10), color_system=None, legacy_windows=False)
    document = Markdown(clean_text(text), hyperlinks=False, code_theme="bw")
    lines = console.render_lines(document, console.options.update(width=max(width, 10)), pad=False)
    drawn = [Content.assemble(*(_part(segment) for segment in line)) for line in lines]
    while drawn and not drawn[-1].plain.strip():
        drawn.pop()
    return tuple(drawn)


def _part(segment: Segment) -> tuple[str, str]:
    style = segment.style
    if style is None:
        return segment.text, ""
    names = (("bold", style.bold), ("italic", style.italic), ("underline", style.underline), ("strike", style.strike))
    return segment.text, " ".join(name for name, on in names if on)
