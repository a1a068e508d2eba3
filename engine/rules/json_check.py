"""Checks whether an answer is valid JSON and fits a JSON Schema. Knows nothing of rules.

Schemas are read as Draft 2020-12 unless they name another draft. References to other documents are not fetched:
a check never touches the network.
"""

import json
import math
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, TypeGuard, cast

from engine.rules.patterns import Pattern, PatternError
from engine.wording import json_fault, shortened

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_SHOWN_CHARACTERS = 120


class _Validator(Protocol):
    def __init__(self, schema: object, *, registry: object) -> None: ...

    def iter_errors(self, instance: object) -> "Iterator[ValidationError]": ...


class SchemaProblemError(ValueError):
    """The text is not a usable JSON Schema; the message says why."""


class JsonProblemError(ValueError):
    """The text is not JSON; `position` is the character at which reading stopped."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.position = position


def read_json(text: str) -> object:
    """Read strict JSON: no NaN, no Infinity, only white space around it. Raises JsonProblemError."""

    def refuse(constant: str) -> object:
        raise JsonProblemError(f"{constant} is not JSON", max(text.find(constant), 0))

    try:
        value: object = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise JsonProblemError(f"{json_fault(error)} at character {error.pos + 1}", error.pos) from error
    except RecursionError as error:
        raise JsonProblemError("nested too deeply", 0) from error
    except JsonProblemError:
        raise
    except ValueError as error:  # an integer with more digits than Python converts
        raise JsonProblemError(str(error), 0) from error
    return value


def unfenced(reply: str) -> str:
    """The reply without the code fence that many models add around it regardless of instructions."""
    text = reply.strip()
    first, _, rest = text.partition("\n")
    opens = "".join(first.split()).casefold() in ("```", "```json")  # “```JSON”, “``` json”, and before `\r\n`
    return rest.removesuffix("```") if opens and rest.endswith("```") else text


def make_schema_check(schema_text: str) -> Callable[[object], str]:
    """Return a function that says briefly how a value violates the schema; "" if it fits.

    Raises SchemaProblemError if the schema itself is wrong.
    """
    from referencing.exceptions import Unresolvable

    validator = _validator(_read_schema(schema_text))

    def problem(value: object) -> str:
        try:
            error = next(iter(sorted(validator.iter_errors(value), key=lambda e: e.json_path)), None)
        except Unresolvable as unresolvable:
            return f"the schema refers to {unresolvable.ref}, which it does not contain"
        except RecursionError:
            return "nested too deeply for the schema"
        except OverflowError:
            return "it contains a number that is too large for the schema"
        except ValueError as broken:
            return f"a reference in the schema cannot be followed: {shortened(str(broken), _SHOWN_CHARACTERS)}"
        return "" if error is None else f"{error.json_path}: {shortened(error.message, _SHOWN_CHARACTERS)}"

    return problem


def _read_schema(text: str) -> dict[str, object] | bool:
    """Read the text of a schema, without looking into the parts that JSON Schema defines."""
    try:
        schema = read_json(text)
    except JsonProblemError as error:
        raise SchemaProblemError(f"the schema is not JSON: {error}") from error
    if not isinstance(schema, dict | bool):
        raise SchemaProblemError("a schema must be a JSON object, true or false")
    _check_patterns(schema)
    if isinstance(schema, dict) and not isinstance(schema.get("$schema", ""), str):
        raise SchemaProblemError("$.$schema: it is not a string")
    return schema


def _validator(schema: dict[str, object] | bool) -> _Validator:
    """Return the library's validator, with keywords of our own where the library's can hang, overflow or be wrong."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, extend, validator_for
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import EMPTY_REGISTRY

    base = validator_for(schema, default=Draft202012Validator)
    try:
        base.check_schema(cast("dict[str, object]", schema))
    except SchemaError as error:
        raise SchemaProblemError(f"{error.json_path}: {error.message}") from error
    own = {"pattern": _pattern, "multipleOf": _multiple_of, "uniqueItems": _unique_items}
    bounded = cast("Callable[[object, object], type[_Validator]]", extend)(base, own)  # the library's is untyped
    try:
        # The default registry would fetch references over the network.
        validator = bounded(schema, registry=EMPTY_REGISTRY)
        next(validator.iter_errors(None), None)
    except Unresolvable as error:
        raise SchemaProblemError(f"it refers to {error.ref}, which it does not contain") from error
    except RecursionError as error:
        raise SchemaProblemError("a reference in it refers to itself") from error
    except ValueError as error:  # an invalid address
        raise SchemaProblemError(f"a reference in it cannot be followed: {error}") from error
    return validator


def _pattern(_validator: object, text: str, value: object, _schema: object) -> "Iterator[ValidationError]":
    """The library's version uses `re`, which cannot be interrupted."""
    if isinstance(value, str) and Pattern(text).search(value) is None:
        yield _violation(f"{value!r} does not match {text!r}")


def _multiple_of(_validator: object, step: float, value: object, _schema: object) -> "Iterator[ValidationError]":
    """The library's version divides floats: 19.99 is then not a multiple of 0.01, and huge numbers overflow."""
    if _is_number(value) and not _is_multiple(value, step):
        yield _violation(f"{value!r} is not a multiple of {step!r}")


def _unique_items(_validator: object, wanted: object, value: object, _schema: object) -> "Iterator[ValidationError]":
    """The library's version compares every pair of items."""
    if wanted and isinstance(value, list) and len(set(map(_key, value))) < len(value):
        yield _violation("two items are the same")


def _violation(message: str) -> "ValidationError":
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)


def _check_patterns(schema: object) -> None:
    """Raise SchemaProblemError for a pattern that does not compile, and for patterns over property names, which the
    library would search without a time limit."""
    if isinstance(schema, list):
        for part in schema:
            _check_patterns(part)
    if not isinstance(schema, dict):
        return
    if "patternProperties" in schema and isinstance(schema["patternProperties"], dict):
        raise SchemaProblemError("patternProperties is not supported; use properties, propertyNames with an enum")
    text = schema.get("pattern")
    if isinstance(text, str):
        try:
            Pattern(text)
        except PatternError as error:
            raise SchemaProblemError(f"pattern {text!r}: {error}") from error
    for part in schema.values():
        _check_patterns(part)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_multiple(value: float, step: float) -> bool:
    """Whether `value` is a multiple of `step`, computed exactly from their decimal digits."""
    return math.inf not in (abs(value), step) and _exact(value) % _exact(step) == 0


def _exact(number: float) -> Fraction:
    return Fraction(number if isinstance(number, int) else str(number))


def _key(value: object) -> Hashable:
    """A key that is equal for values that are equal in JSON, where 1 equals 1.0 but not true."""
    if isinstance(value, dict):
        return "object", frozenset((name, _key(part)) for name, part in value.items())
    if isinstance(value, list):
        return "list", tuple(map(_key, value))
    return type(value) if value is None or isinstance(value, bool) else "", value
