"""Frozen dataclasses to JSON text and back, checked field by field. Knows nothing of the specific dataclasses."""

import json
from collections.abc import Callable, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from engine.errors import StoreError

Word = TypeVar("Word")


def encode(word: object) -> str:
    """Return one dataclass instance as JSON text."""
    return json.dumps(_plain(word), ensure_ascii=False)


def encode_all(words: Sequence[object]) -> str:
    """Return a list of dataclass instances as JSON text."""
    return json.dumps([_plain(word) for word in words], ensure_ascii=False)


def decode(kind: type[Word], text: str) -> Word:
    """Reverse `encode`. Raises `StoreError` if `text` is not the JSON of a `kind`."""
    return cast("Word", _reader_of(kind)(_parse(text)))


def decode_all(kind: type[Word], text: str) -> tuple[Word, ...]:
    """Reverse `encode_all`. Raises `StoreError` as `decode` does."""
    read, value = _reader_of(kind), _parse(text)
    if not isinstance(value, list):
        raise _mismatch(kind.__name__, "a list", value)
    return tuple(cast("Word", read(item)) for item in value)


def build(kind: type[Word], value: object) -> Word:
    """Build a `kind` from a parsed JSON `value`, ignoring unknown fields from other versions. Raises `StoreError`."""
    return cast("Word", _reader_of(kind, strict=False)(value))


def inner_folder(text: str) -> str:
    """Return a stored folder, relative to the project. Raises `StoreError` if it leads out of the project."""
    if text.startswith("/") or ".." in text.split("/"):
        raise _mismatch("A folder", "inside the project", text)
    return text


def _plain(word: object) -> object:
    if not is_dataclass(word) or isinstance(word, type):
        raise TypeError(f"{word!r} is not a dataclass instance")
    return asdict(word)


def _parse(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            "Stored data cannot be read.", f"It is not JSON: {error}.", "Run `distill-tui doctor`."
        ) from error
    return value


def _reader_of(kind: type, *, strict: bool = True) -> Callable[[object], object]:
    return _reader(kind, kind.__name__, strict)


@cache
def _reader(hint: object, where: str, strict: bool) -> Callable[[object], object]:
    """Return a function that converts parsed JSON to type `hint`. `where` names its place in errors."""
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _word_reader(hint, where, strict)
    if origin is tuple:
        return _tuple_reader(arguments, where, strict)
    if origin in (Union, UnionType):  # Optional
        (some,) = (_reader(argument, where, strict) for argument in arguments if argument is not NoneType)
        return lambda value: None if value is None else some(value)
    if origin is dict:
        return _table_reader(_reader(arguments[1], where, strict), where)

    def one_of(value: object) -> object:
        if value not in arguments:
            raise _mismatch(where, f"one of {arguments}", value)
        return value

    def plain(value: object) -> object:
        if hint is float and type(value) is int:
            return float(value)
        if type(value) is not hint:
            raise _mismatch(where, getattr(hint, "__name__", str(hint)), value)
        return value

    return one_of if origin is Literal else plain


def _word_reader(kind: type, where: str, strict: bool) -> Callable[[object], object]:
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name], f"{where}.{field.name}", strict) for field in fields(kind)}
    required = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}

    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise _mismatch(where, "an object", value)
        if not required <= value.keys() or (strict and not value.keys() <= readers.keys()):
            raise _mismatch(where, f"the fields {sorted(readers)}", sorted(value))
        return kind(**{name: make(value[name]) for name, make in readers.items() if name in value})

    return read


def _tuple_reader(arguments: tuple[object, ...], where: str, strict: bool) -> Callable[[object], object]:
    of_any_length = len(arguments) == 2 and arguments[1] is Ellipsis
    readers = [_reader(argument, where, strict) for argument in arguments if argument is not Ellipsis]

    def read(value: object) -> object:
        if not isinstance(value, list):
            raise _mismatch(where, "a list", value)
        if of_any_length:
            return tuple(map(readers[0], value))
        if len(readers) != len(value):
            raise _mismatch(where, f"{len(readers)} items", value)
        return tuple(make(item) for make, item in zip(readers, value, strict=True))

    return read


def _table_reader(make: Callable[[object], object], where: str) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise _mismatch(where, "an object", value)
        return {name: make(item) for name, item in value.items()}

    return read


def _mismatch(where: str, expected: str, value: object) -> StoreError:
    return StoreError(
        "Stored data cannot be read.",
        f"{where} should be {expected}, not {str(value)[:80]!r}.",
        "Run `distill-tui doctor`.",
    )
