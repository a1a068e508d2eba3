"""Elements of HTML and SVG, built so that text can only ever be text: the standard library writes and escapes them.

Knows nothing of reports.
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

from engine.clean import clean_text

Child = Element | str | None


def element(tag: str, *children: Child, **attributes: str | float | None) -> Element:
    """An element with its children in order; strings, including foreign ones, become text. None is left out.

    Attribute names end in `_` if Python reserves the word, and `_` within them stands for `-`. Numbers are written
    short.
    """
    made = Element(tag)
    for name, given in attributes.items():
        if given is not None:
            made.set(name.rstrip("_").replace("_", "-"), clean_text(given) if isinstance(given, str) else short(given))
    fill(made, children)
    return made


def fill(parent: Element, children: Iterable[Child]) -> None:
    """Append children to those that exist."""
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif child:
            text = clean_text(child)
            if len(parent):
                parent[-1].tail = (parent[-1].tail or "") + text
            else:
                parent.text = (parent.text or "") + text


def short(value: float) -> str:
    """A coordinate with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def write(root: Element) -> str:
    """The whole page, as text with a doctype."""
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"
