"""Rules as YAML, the format that people write, review and share.

    rules:
      - text: Begins with the risk score.
        check: {kind: pattern, pattern: '^RISK SCORE: [1-5]'}

`id` is accepted and ignored: a project numbers its own rules. What is written here reads back as the same rules.
Knows nothing of the store.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Literal, cast, get_args

import yaml

from engine.errors import UsageError
from engine.records.rule import Check, CheckKind, LengthUnit, Rule
from engine.rules.checks import validate_check
from engine.strict_yaml import read_yaml
from engine.wording import kind_of_value

MAX_DOCUMENT_BYTES = 1_000_000
MAX_RULES = 500
MAX_TEXT_CHARACTERS = 4_000
_WIDTH = 120  # of the lines that are written
_LINE_ENDS = "\r\x85\u2028\u2029"

_UNSET = {field.name: field.default for field in fields(Check)}
_Field = Literal["text", "texts", "whole", "flag", "unit", "schema"]
# The fields of each kind and their types; a field of another kind is rejected rather than ignored.
_FIELDS: dict[CheckKind, dict[str, _Field]] = {
    "pattern": {"pattern": "text"},
    "starts_with": {"text": "text"},
    "ends_with": {"text": "text"},
    "contains": {"text": "text"},
    "forbidden": {"texts": "texts"},
    "length": {"unit": "unit", "min": "whole", "max": "whole"},
    "json": {"schema": "schema"},
    "language": {"code": "text"},
    "label": {"pattern": "text", "labels": "texts", "gold": "flag"},
    "rubric": {"text": "text"},
}


class _Dumper(yaml.SafeDumper):
    """Writes texts with uncommon line ends in double quotes: in others, reading would turn them into spaces."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Return the text as a node."""
        style = '"' if any(end in data for end in _LINE_ENDS) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def parse_rules(text: str, source: str) -> tuple[Rule, ...]:
    """Return the rules of a YAML document, numbered from 1.

    Raises UsageError that names `source`, the rule's number, the field and what is allowed.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise _problem(source, f"it is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        document = read_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise _problem(source, f"it is not valid YAML{place}: {getattr(error, 'problem', None) or error}") from error
    except (RecursionError, ValueError) as error:
        raise _problem(source, f"it is not valid YAML: {error}") from error
    if not isinstance(document, dict) or set(document) != {"rules"} or not isinstance(document["rules"], list):
        raise _problem(source, "it must have exactly one top-level key, `rules`, with a list")
    entries = cast("list[object]", document["rules"])
    if not entries:
        raise _problem(source, "its list of rules is empty")
    if len(entries) > MAX_RULES:
        raise _problem(source, f"it has {len(entries)} rules; the limit is {MAX_RULES}")
    return tuple(_read_rule(entry, number, source) for number, entry in enumerate(entries, 1))


def rules_to_yaml(rules: Sequence[Rule], *, ascii_only: bool = False) -> str:
    """Return the rules as a YAML document, without their numbers. In ASCII, it holds no control codes."""
    plain = [{"text": rule.text, "check": check_to_fields(rule.check)} for rule in rules]
    return yaml.dump({"rules": plain}, Dumper=_Dumper, allow_unicode=not ascii_only, sort_keys=False, width=_WIDTH)


def check_to_fields(check: Check) -> dict[str, object]:
    """A check's kind and the fields that are set."""
    found: dict[str, object] = {"kind": check.kind}
    unset = Check(check.kind)
    for name, holds in _FIELDS[check.kind].items():
        value: object = getattr(check, name)
        if value == getattr(unset, name) and name != "unit":
            continue
        if holds == "schema":
            schema: object = json.loads(check.schema)
            value = schema if _schema_text(schema) == check.schema else check.schema  # text that someone formatted
        found[name] = list(value) if isinstance(value, tuple) else value
    return found


def check_from_fields(given: Mapping[str, object], name: str = "The check") -> Check:
    """Return the check with these fields, as `check_to_fields` writes them. Raises UsageError starting with `name`."""
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in _FIELDS:
        problem = "it has no kind" if kind is None else f"kind is {_shown(kind)}"
        raise UsageError(
            f"{name} cannot be used", f"{problem}; allowed: {', '.join(_FIELDS)}.", "Use one of these kinds."
        )
    allowed = _FIELDS[kind]
    values: dict[str, object] = {}
    for field, value in given.items():
        if field == "kind":
            continue
        if field not in allowed:
            if field in _UNSET and _as_stored(value) == _UNSET[field]:  # `rules list --json` names every field
                continue
            message = f"a {kind} check has no field {field!r}; allowed: {', '.join(allowed)}."
            raise UsageError(f"{name} cannot be used", message, "Remove or rename the field.")
        values[field] = _read_value(value, allowed[field], f"{name} cannot be used", f"{kind}.{field}")
    check = Check(kind, **values)  # type: ignore[arg-type]  # every value was narrowed by its field's kind just above
    validate_check(check, name)
    return check


def _read_rule(entry: object, number: int, source: str) -> Rule:
    name = f"Rule {number} of {source}"
    if not isinstance(entry, dict):
        raise UsageError(f"{name} cannot be used", "it is not a mapping.", "Give it `text` and `check`.")
    unknown = [str(key) for key in entry if key not in ("id", "text", "check")]
    if unknown:
        raise UsageError(
            f"{name} cannot be used", f"unknown field {', '.join(unknown)}; allowed: id, text, check.", "Remove it."
        )
    text, check = entry.get("text"), entry.get("check")
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT_CHARACTERS:
        message = f"text must have 1 to {MAX_TEXT_CHARACTERS} characters."
        raise UsageError(f"{name} cannot be used", message, "Describe in `text` what the rule requires.")
    if not isinstance(check, dict) or not all(isinstance(key, str) for key in check):
        raise UsageError(f"{name} cannot be used", "check must be a mapping.", "Give it a `kind` and its fields.")
    return Rule(number, text.strip(), check_from_fields(cast("dict[str, object]", check), name))


def _read_value(value: object, holds: _Field, title: str, field: str) -> object:
    if holds == "text" and isinstance(value, str):
        return value
    if holds == "texts" and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if holds == "whole" and (value is None or (isinstance(value, int) and not isinstance(value, bool))):
        return value
    if holds == "flag" and isinstance(value, bool):
        return value
    if holds == "unit" and value in get_args(LengthUnit):
        return value
    if holds == "schema" and isinstance(value, dict | bool):
        try:
            return _schema_text(value)
        except (TypeError, ValueError) as error:  # a YAML date, or a mapping with mixed keys
            raise UsageError(title, f"{field} is not valid JSON: {error}.", "Quote such values.") from error
    if holds == "schema" and isinstance(value, str):
        return value
    expected = {
        "text": "a text (in quotes if YAML would read it as something else)",
        "texts": "a list of texts (in quotes if YAML would read them as something else)",
        "whole": "a whole number",
        "flag": "true or false",
        "unit": " or ".join(get_args(LengthUnit)),
        "schema": "a JSON Schema, as a mapping or as JSON text",
    }[holds]
    problem = f"not {_shown(value)}"
    if holds == "texts" and isinstance(value, list):
        problem = f"and {_shown(next(item for item in value if not isinstance(item, str)))} is none"
    raise UsageError(title, f"{field} must be {expected}, {problem}.", "Fix the field.")


def _shown(value: object) -> str:
    """A value as its author wrote it; only the type of values that may be large."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str | int | float) else kind_of_value(value)


def _as_stored(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _schema_text(schema: object) -> str:
    """The schema as JSON. Raises TypeError or ValueError if it is not JSON, or if nested aliases make it too large."""
    parts: list[str] = []
    left = MAX_DOCUMENT_BYTES
    for part in json.JSONEncoder(ensure_ascii=False, sort_keys=True).iterencode(schema):
        left -= len(part)
        if left < 0:
            raise ValueError(f"it has more than {MAX_DOCUMENT_BYTES} characters")
        parts.append(part)
    return "".join(parts)


def _problem(source: str, reason: str) -> UsageError:
    return UsageError(
        f"Rules cannot be read from {source}",
        f"{reason[0].upper()}{reason[1:]}.",
        "See `distill-tui rules import -h` for the format.",
    )
