"""Frozen dataclasses to JSON text and back, checked field by field. Knows nothing of which words there are."""

import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from engine.errors import StoreError

Word = TypeVar("Word")


def encode(word: object) -> str:
    """The JSON text of one dataclass instance."""
    return json.dumps(_plain(word), ensure_ascii=False)


def encode_all(words: Sequence[object]) -> str:
    """The JSON text of a list of dataclass instances."""
    return json.dumps([_plain(word) for word in words], ensure_ascii=False)


def decode(kind: type[Word], text: str) -> Word:
    """The inverse of `encode`. Raises `StoreError` where `text` is not the JSON of a `kind`."""
    return cast("Word", _build(kind, _parse(text), kind.__name__))


def decode_all(kind: type[Word], text: str) -> tuple[Word, ...]:
    """The inverse of `encode_all`."""
    value = _parse(text)
    if not isinstance(value, list):
        raise _mismatch(kind.__name__, "a list", value)
    return tuple(cast("Word", _build(kind, item, kind.__name__)) for item in value)


def inner_folder(text: str) -> str:
    """A folder below the project's own, as it is stored. Raises `StoreError` for one that leads out of it."""
    if text.startswith("/") or ".." in text.split("/"):
        raise _mismatch("A folder", "below the project's", text)
    return text


def _plain(word: object) -> object:
    if not is_dataclass(word) or isinstance(word, type):
        raise TypeError(f"{word!r} is no word")
    return asdict(word)


def _parse(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            "A stored fact cannot be read.", f"It is no JSON: {error}.", "Run `distill-tui doctor`."
        ) from error
    return value


def _build(hint: object, value: object, where: str) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _build_word(hint, value, where)
    if origin is Literal:
        if value not in arguments:
            raise _mismatch(where, f"one of {arguments}", value)
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        return _build(inner, value, where)
    if origin is tuple:
        return _build_tuple(arguments, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise _mismatch(where, str(hint), value)
    return value


def _build_word(kind: type, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise _mismatch(where, "an object", value)
    hints, required = _shape(kind)
    if not required <= value.keys() <= hints.keys():
        raise _mismatch(where, f"the fields {sorted(hints)}", sorted(value))
    return kind(**{name: _build(hints[name], item, f"{where}.{name}") for name, item in value.items()})


def _build_tuple(arguments: tuple[object, ...], value: object, where: str) -> object:
    if not isinstance(value, list):
        raise _mismatch(where, "a list", value)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_build(arguments[0], item, where) for item in value)
    if len(arguments) != len(value):
        raise _mismatch(where, f"{len(arguments)} items", value)
    return tuple(_build(hint, item, where) for hint, item in zip(arguments, value, strict=True))


@cache
def _shape(kind: type) -> tuple[dict[str, object], frozenset[str]]:
    """The hints of all fields, and the names of those without a default."""
    required = frozenset(
        field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING
    )
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}, required


def _mismatch(where: str, expected: str, value: object) -> StoreError:
    return StoreError(
        "A stored fact cannot be read.",
        f"{where} should be {expected}, not {str(value)[:80]!r}.",
        "Run `distill-tui doctor`.",
    )
