"""Hostile text, as models, files and servers may send it, and checks that none of it acts on a screen."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import TypeVar, Union, cast, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from textual.content import Content

T = TypeVar("T")

_CODES = list("\r\n\t\x00\x07\x08\x1b\x7f\x80\x9b\x9f\u200b\u200d\u202e\u2066\ufeff\u2028\ud800\udfff❤\ufe0f漢é\u0301")
_MARKUP = [
    "[@click=app.quit]", "[@click=app.quit]x[/]", "[/]", "[/x]", "[", "]", "[b]", "[$error]", "[link=https://evil]",
    "\\[", "\x1b]52;c;aGk=\x07", "\x1b]8;;https://evil\x1b\\", "\x1b[2J", "\x9b31m", "\x1b]2;title\x07", "```", "# ",
]  # fmt: skip
# Weighted towards text that acts: controls, bidi, zero-width, surrogates, line ends, markup, terminal sequences.
hostile_text = st.lists(
    st.one_of(st.sampled_from(_CODES), st.sampled_from(_MARKUP), st.characters(exclude_categories=())), max_size=60
).map("".join)
_OBEYED_BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
_HIDDEN = "\u200b\u200c\u200d\u2060\ufeff"


def hostile(text: str) -> str:
    """Text as a hostile model would write it: markup that acts, and codes that a terminal obeys."""
    return f"[@click=app.quit]{text}[/x] \x1b]52;c;aGk=\x07\x1b[2J\x9b31m \u202eevil"


def control_characters(text: str, allowed: str = "\n") -> set[str]:
    """The characters of `text`, except those `allowed`, that a terminal would obey, hide or fail to write."""
    return {
        char
        for char in text
        if char not in allowed
        and (
            unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
            or unicodedata.bidirectional(char) in _OBEYED_BIDI
            or char in _HIDDEN
        )
    }


def assert_escaped(lines: Iterable[Content]) -> None:
    """Assert that no line has a control code except tab, which Textual expands, and that nothing can be clicked."""
    for line in lines:
        assert not control_characters(line.plain, "\n\t"), repr(line.plain)
        assert not any("@" in str(span.style) or "link" in str(span.style) for span in line.spans), line.spans


def with_hostile_text(value: T, text: str, hint: object = None) -> T:
    """`value` with `text` in every field, however deep, that may hold any string; literals stay."""
    changed: object = value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = get_type_hints(type(value))
        fields = {
            field.name: with_hostile_text(getattr(value, field.name), text, hints[field.name])
            for field in dataclasses.fields(value)
            if field.init
        }
        changed = dataclasses.replace(value, **fields)
    elif isinstance(value, str):
        changed = text if hint is str or (get_origin(hint) in (Union, UnionType) and str in get_args(hint)) else value
    elif isinstance(value, tuple):
        inner = get_args(next((each for each in (hint, *get_args(hint)) if get_origin(each) is tuple), None))
        hints_of = inner[:1] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
        changed = tuple(with_hostile_text(item, text, each) for item, each in zip(value, hints_of, strict=True))
    elif isinstance(value, Mapping):
        _, of_values = get_args(hint)
        changed = {key: with_hostile_text(item, text, of_values) for key, item in value.items()}
    return cast("T", changed)
