"""The fields of the rule forms, and the rule built from what was typed. Pure; shows no form."""

from collections.abc import Mapping
from typing import cast

from engine.clean import clean_line
from engine.errors import UsageError
from engine.records.rule import Check, CheckKind, Rule
from tui.forms.checks import or_empty, whole
from tui.forms.screen import Field, Values

KINDS: dict[CheckKind, str] = {
    "starts_with": "The answer starts with a text.",
    "ends_with": "The answer ends with a text.",
    "contains": "The answer contains a text.",
    "forbidden": "The answer contains none of these texts, in upper or lower case.",
    "length": "The answer has a given number of words, sentences or lines.",
    "pattern": "A regular expression matches somewhere in the answer.",
    "json": "The answer is JSON, and matches a schema if you give one.",
    "language": "The answer is in one language.",
    "label": "The answer names one of several labels.",
    "rubric": "A judge, which is a model, rates every answer in the evaluation.",
}
_WORDS = {kind: kind.replace("_", " ") for kind in KINDS}
_BETWEEN = " | "
_UNITS = ("words", "sentences", "lines")
_LENGTH = or_empty(whole(0))


def rule_fields(rule: Rule | None) -> tuple[Field, ...]:
    """Return the fields of the first form: what the rule demands, and the kind of its check."""
    return (
        Field("text", "what it demands", clean_line(rule.text) if rule else "", "in a sentence", check=_needed),
        Field("kind", "how it is checked", _WORDS[rule.check.kind] if rule else "", choices=tuple(_WORDS.values())),
    )


def kind_of(values: Values) -> CheckKind:
    """Return the chosen kind of check."""
    return next(kind for kind, word in _WORDS.items() if word == values["kind"])


def kind_text(values: Values) -> str:
    """Return what the chosen kind checks, as a sentence."""
    return KINDS[kind_of(values)]


def check_fields(kind: CheckKind, check: Check | None) -> tuple[Field, ...]:
    """Return the fields of the second form, for this kind of check, filled in from `check` if it is of that kind."""
    old = check if check is not None and check.kind == kind else Check(kind)
    match kind:
        case "pattern":
            return (Field("pattern", "pattern", clean_line(old.pattern), r"^SCORE: [1-9]\.", check=_needed),)
        case "forbidden":
            return (Field("texts", "texts", _joined(old.texts), f"one{_BETWEEN}another", check=_needed),)
        case "length":
            return (
                Field("unit", "unit", old.unit, choices=_UNITS),
                Field("min", "at least", _number(old.min), "empty: no limit", check=_LENGTH),
                Field("max", "at most", _number(old.max), "empty: no limit", check=_LENGTH),
            )
        case "json":
            return (Field("schema", "JSON Schema", clean_line(old.schema), "empty: any JSON"),)
        case "language":
            return (Field("code", "language", old.code, "two letters, such as en", check=_needed),)
        case "label":
            return (
                Field("labels", "labels", _joined(old.labels), f"card{_BETWEEN}loan{_BETWEEN}savings"),
                Field(
                    "pattern", "found by pattern", clean_line(old.pattern), r"^CATEGORY: (\w+)  empty: the whole answer"
                ),
                Field("gold", "equals the question's", "yes" if old.gold else "no", choices=("no", "yes")),
            )
        case "rubric":
            return (Field("text", "the judge looks for", clean_line(old.text), "empty: what the rule demands"),)
        case _:
            return (Field("text", "text", _guarded(old.text), "“…” keeps spaces at the ends", check=_needed),)


def rule_from(rule: Rule | None, first: Values, second: Values) -> Rule:
    """Return the rule typed in both forms. Raises UsageError if its check cannot be run.

    Unchanged fields keep their stored text, including characters that a form cannot show.
    """
    from engine.rules.documents import check_from_fields

    kind = kind_of(first)
    before = {field.id: field.value.strip() for field in check_fields(kind, rule.check if rule else None)}
    same_kind = rule is not None and rule.check.kind == kind
    fields: dict[str, object] = {"kind": kind}
    for name, value in second.items():
        if same_kind and rule is not None and value == before[name]:
            fields[name] = cast("object", getattr(rule.check, name))
        else:
            fields |= _read(name, value)
    text = first["text"]
    if rule is not None and text == clean_line(rule.text).strip():
        text = rule.text
    return Rule(rule.id if rule else 0, text, check_from_fields(fields, "The rule"))


def problem_of(rule: Rule | None, first: Values, second: Values) -> str:
    """Return what is wrong with the check as typed; empty if it can be run."""
    try:
        rule_from(rule, first, second)
    except UsageError as error:
        return error.message
    return ""


def _read(name: str, value: str) -> Mapping[str, object]:
    """Return a field as in a rules document; an empty optional one is left out."""
    if name in ("texts", "labels"):
        return {name: tuple(text.strip() for text in value.split(_BETWEEN.strip()) if text.strip())}
    if name in ("min", "max"):
        return {name: value if _LENGTH(value) else int(value)} if value else {}  # the rule rejects what is not a number
    if name == "gold":
        return {name: value == "yes"}
    if name == "text" and _is_quoted(value) and _needs_guard(value[1:-1]):
        return {name: value[1:-1]}
    return {name: value} if value else {}


def _joined(texts: tuple[str, ...]) -> str:
    return _BETWEEN.join(map(clean_line, texts))


def _guarded(text: str) -> str:
    shown = clean_line(text)
    return f"“{shown}”" if _needs_guard(shown) else shown


def _needs_guard(text: str) -> bool:
    """Whether a text field would lose its spaces, or its own quotes be taken for the guard."""
    return text != text.strip() or _is_quoted(text)


def _is_quoted(text: str) -> bool:
    return len(text) > 2 and text[0] == "“" and text[-1] == "”"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _needed(value: str) -> str:
    return "" if value else "This field is required."
