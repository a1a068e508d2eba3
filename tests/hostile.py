"""Hostile text, as models, files and servers may send it; and what must never be left of it on a screen."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from textual.content import Content

T = TypeVar("T")

_CODES = list("\r\n\t\x00\x07\x08\x1b\x7f\x80\x9b\x9f\u200b\u200d\u202e\u2066\ufeff\u2028\ud800\udfff❤\ufe0f漢é\u0301")
_MARKUP = [
    "[@click=app.quit]", "[@click=app.quit]x[/]", "[/]", "[/x]", "[", "]", "[b]", "[$error]", "[link=https://evil]",
    "\\[", "\x1b]52;c;aGk=\x07", "\x1b]8;;https://evil\x1b\\", "\x1b[2J", "\x9b31m", "\x1b]2;title\x07", "```", "# ",
]  # fmt: skip
# Weighted towards what acts: controls, bidi, zero-width, surrogates, line ends, markup, sequences that terminals obey.
hostile_text = st.lists(
    st.one_of(st.sampled_from(_CODES), st.sampled_from(_MARKUP), st.characters(exclude_categories=())), max_size=60
).map("".join)
_OBEYED_BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
_HIDDEN = "\u200b\u200c\u200d\u2060\ufeff"


def hostile(text: str) -> str:
    """Text as a hostile model would write it: markup that acts, and codes that a terminal obeys."""
    return f"[@click=app.quit]{text}[/x] \x1b]52;c;aGk=\x07\x1b[2J\x9b31m \u202eevil"


def obeyed(text: str) -> set[str]:
    """What of `text` a terminal would obey, hide or fail to write, but newlines."""
    return {
        sign
        for sign in text
        if sign != "\n"
        and (
            unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(sign) in _OBEYED_BIDI
            or sign in _HIDDEN
        )
    }


def assert_shown(lines: Iterable[Content]) -> None:
    """No line holds a code but the tab, which Textual expands; and nothing in it can be clicked."""
    for line in lines:
        assert obeyed(line.plain) <= {"\t"}, repr(line.plain)
        assert not any("@" in str(span.style) or "link" in str(span.style) for span in line.spans), line.spans


def poisoned(value: T, text: str, hint: object = None) -> T:
    """`value` with `text` in every place of it, however deep, that may hold any string; enumerated words stay."""
    changed: object = value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = get_type_hints(type(value))
        fields = {
            field.name: poisoned(getattr(value, field.name), text, hints[field.name])
            for field in dataclasses.fields(value)
            if field.init
        }
        changed = dataclasses.replace(value, **fields)
    elif isinstance(value, str):
        changed = text if hint is str or (get_origin(hint) in (Union, UnionType) and str in get_args(hint)) else value
    elif isinstance(value, tuple):
        inner = get_args(next((each for each in (hint, *get_args(hint)) if get_origin(each) is tuple), None))
        hints_of = inner[:1] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
        changed = tuple(poisoned(item, text, each) for item, each in zip(value, hints_of, strict=True))
    elif isinstance(value, Mapping):
        _, of_values = get_args(hint)
        changed = {key: poisoned(item, text, of_values) for key, item in value.items()}
    return changed
