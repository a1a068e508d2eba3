"""Checks whether an answer passes the rules. Used by curation, training and evaluation.

For each kind of check, a builder turns it into a function over answers, which is cached. Answers are hostile text: an
answer longer than `MAX_ANSWER_CHARACTERS` fails, patterns run under a time limit, schemas fetch nothing.
Knows nothing of models or of where answers come from.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from engine.errors import UsageError
from engine.records.question import Question
from engine.records.rule import Check, CheckKind, CheckResult, Rule, Span
from engine.rules.json_check import JsonProblemError, SchemaProblemError, make_schema_check, read_json
from engine.rules.language import LANGUAGES, is_short, language_name, other_language
from engine.rules.patterns import SEARCH_LIMIT_S, Pattern, PatternError, PatternTimeoutError, find_text
from engine.rules.units import unit_spans
from engine.wording import shortened

MAX_ANSWER_CHARACTERS = 100_000
_TOLD_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class _Finding:
    passed: bool
    note: str = ""
    fixed: tuple[Span, ...] = ()
    failing: tuple[Span, ...] = ()


_Checker = Callable[[str, Question | None], _Finding]


class _InvalidCheckError(ValueError):
    """A check that cannot be run; the message says why."""


def check_answer(rules: Sequence[Rule], answer: str, question: Question | None = None) -> tuple[CheckResult, ...]:
    """Return the result of each rule's check on `answer`, in the order of `rules`; rubrics, which need a judge, are
    left out.

    `question` gives the gold label; without one, a label check tests membership only. An answer that is too short to
    detect its language passes, and its note says so. Raises UsageError for a rule that cannot be checked.
    """
    return tuple(_check(rule, answer, question) for rule in rules if not rule.needs_judge)


def validate_check(check: Check, name: str = "The check") -> None:
    """Raise UsageError, starting with `name`, if the check cannot be run on any answer."""
    if check.kind != "rubric":  # a judge can be given any text
        _usable(check, name)


def _usable(check: Check, name: str) -> _Checker:
    try:
        return _checker(check)
    except _InvalidCheckError as error:
        raise UsageError(f"{name} cannot be used", f"{check.kind}: {error}.", "Fix the check and try again.") from error


def _check(rule: Rule, answer: str, question: Question | None) -> CheckResult:
    checker = _usable(rule.check, f"Rule {rule.id}")
    if len(answer) > MAX_ANSWER_CHARACTERS:
        return CheckResult(rule.id, False, f"longer than {MAX_ANSWER_CHARACTERS} characters")
    try:
        finding = checker(answer, question)
    except PatternTimeoutError:
        return CheckResult(rule.id, False, f"the pattern took longer than {SEARCH_LIMIT_S:g} s")
    return CheckResult(rule.id, finding.passed, finding.note, finding.fixed, finding.failing)


@lru_cache(maxsize=1_024)
def _checker(check: Check) -> _Checker:
    return _BUILDERS[check.kind](check)


def _pattern(text: str) -> Pattern:
    try:
        return Pattern(text)
    except PatternError as error:
        raise _InvalidCheckError(str(error)) from error


def _required(value: str, field: str) -> str:
    if not value.strip():
        raise _InvalidCheckError(f"{field} is empty")
    return value


def _forms(text: str) -> tuple[str, ...]:
    """The text in its Unicode forms: “é” is one code point or two, and looks the same."""
    return tuple(dict.fromkeys((text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))))


def _build_pattern(check: Check) -> _Checker:
    pattern = _pattern(check.pattern)

    def run(answer: str, _question: Question | None) -> _Finding:
        found = pattern.search(answer)
        if found is None:
            return _Finding(False, "the pattern is not found")
        return _Finding(True, fixed=(Span(found.start, found.end),) if found.end > found.start else ())

    return run


def _build_starts_with(check: Check) -> _Checker:
    text = _required(check.text, "text")
    forms = _forms(text)

    def run(answer: str, _question: Question | None) -> _Finding:
        start = len(answer) - len(answer.lstrip())
        span = Span(start, min(start + len(text), len(answer)))
        for form in forms:
            if answer.startswith(form, start):
                return _Finding(True, fixed=(Span(start, start + len(form)),))
        shown = _short(answer[span.start : span.end])
        return _Finding(False, _instead("starts with", shown, text), failing=_not_empty(span))

    return run


def _build_ends_with(check: Check) -> _Checker:
    text = _required(check.text, "text")
    forms = _forms(text)

    def run(answer: str, _question: Question | None) -> _Finding:
        end = len(answer.rstrip())
        span = Span(max(end - len(text), 0), end)
        for form in forms:
            if answer.endswith(form, 0, end):
                return _Finding(True, fixed=(Span(end - len(form), end),))
        shown = _short(answer[span.start : span.end][::-1])[::-1]  # its end is what matters
        return _Finding(False, _instead("ends with", shown, text), failing=_not_empty(span))

    return run


def _build_contains(check: Check) -> _Checker:
    text = _required(check.text, "text")
    forms = _forms(text)

    def run(answer: str, _question: Question | None) -> _Finding:
        for form in forms:
            if (start := answer.find(form)) >= 0:
                return _Finding(True, fixed=(Span(start, start + len(form)),))
        return _Finding(False, f"“{_short(text)}” is missing")

    return run


def _build_forbidden(check: Check) -> _Checker:
    if not check.texts:
        raise _InvalidCheckError("texts is empty")
    texts = [_required(text, "one of texts") for text in check.texts]

    def run(answer: str, _question: Question | None) -> _Finding:
        found = {text: [place for form in _forms(text) for place in find_text(form, answer)] for text in texts}
        failing = tuple(Span(*place) for place in sorted({place for places in found.values() for place in places}))
        names = ", ".join(f"“{_short(text)}”" for text, places in found.items() if places)
        return _Finding(not failing, f"contains forbidden {names}" if failing else "", failing=failing)

    return run


def _build_length(check: Check) -> _Checker:
    low, high = check.min, check.max
    if low is None and high is None:
        raise _InvalidCheckError("neither min nor max is given")
    if (low is not None and low < 0) or (high is not None and high < 1):
        raise _InvalidCheckError("min must be at least 0, and max at least 1")
    if low is not None and high is not None and low > high:
        raise _InvalidCheckError(f"min {low} is above max {high}")

    def run(answer: str, _question: Question | None) -> _Finding:
        spans = unit_spans(answer, check.unit)
        count = len(spans)
        if high is not None and count > high:
            note = f"{count - high} of {_counted(count, check.unit)} too many"
            return _Finding(False, note, failing=(Span(spans[high].start, spans[-1].end),))
        if low is not None and count < low:
            return _Finding(False, f"{_counted(count, check.unit)}, {low - count} too few")
        return _Finding(True)

    return run


def _build_json(check: Check) -> _Checker:
    try:
        schema_problem = make_schema_check(check.schema) if check.schema else None
    except SchemaProblemError as error:
        raise _InvalidCheckError(str(error)) from error

    def run(answer: str, _question: Question | None) -> _Finding:
        try:
            value = read_json(answer)
        except JsonProblemError as error:
            if answer.lstrip().startswith("```"):
                fence = len(answer) - len(answer.lstrip())
                return _Finding(False, "JSON inside a code fence", failing=(Span(fence, fence + 3),))
            span = Span(min(error.position, len(answer)), len(answer))
            return _Finding(False, f"not JSON: {error}", failing=_not_empty(span))
        problem = schema_problem(value) if schema_problem else ""
        return _Finding(not problem, problem)

    return run


def _build_language(check: Check) -> _Checker:
    if check.code not in LANGUAGES:
        raise _InvalidCheckError(f"code {check.code!r} is not one of {', '.join(sorted(LANGUAGES))}")

    def run(answer: str, _question: Question | None) -> _Finding:
        other = other_language(answer, check.code)
        if other is not None:
            return _Finding(False, f"in {language_name(other)}, not in {language_name(check.code)}")
        return _Finding(True, "too short to detect its language" if is_short(answer) else "")

    return run


def _build_label(check: Check) -> _Checker:
    if not check.labels and not check.gold:
        raise _InvalidCheckError("neither labels nor gold is given")
    for label in check.labels:
        _required(label, "one of labels")
    pattern = _pattern(check.pattern) if check.pattern else None
    if pattern is not None and pattern.groups != 1:
        raise _InvalidCheckError(f"the pattern has {pattern.groups} groups; it needs exactly one, for the label")
    allowed = set(map(_label_key, check.labels))

    def run(answer: str, question: Question | None) -> _Finding:
        if pattern is None:
            start = len(answer) - len(answer.lstrip())
            whole = group = Span(start, max(len(answer.rstrip()), start))
        else:
            found = pattern.search(answer)
            if found is None:
                return _Finding(False, "no label found")
            whole, group = Span(found.start, found.end), Span(found.group_start, found.group_end)
        label = answer[group.start : group.end].strip()
        if not label:
            return _Finding(False, "the label is empty")
        gold = question.label if check.gold and question is not None else None
        if allowed and _label_key(label) not in allowed:
            return _Finding(False, f"label {_short(label)} is not allowed", failing=(group,))
        if gold is not None and _label_key(label) != _label_key(gold):
            return _Finding(False, f"label {_short(label)}, expected {_short(gold)}", failing=(group,))
        return _Finding(True, fixed=(whole,))

    return run


_BUILDERS: dict[CheckKind, Callable[[Check], _Checker]] = {
    "pattern": _build_pattern,
    "starts_with": _build_starts_with,
    "ends_with": _build_ends_with,
    "contains": _build_contains,
    "forbidden": _build_forbidden,
    "length": _build_length,
    "json": _build_json,
    "language": _build_language,
    "label": _build_label,
}


def _label_key(label: str) -> str:
    return unicodedata.normalize("NFC", label).strip().casefold()


def _not_empty(span: Span) -> tuple[Span, ...]:
    return (span,) if span.end > span.start else ()


def _instead(what: str, found: str, wanted: str) -> str:
    """Return why a check of an answer's start or end failed: what it has there, and what it should have."""
    return f"{what} “{found}”, not “{_short(wanted)}”" if found else "the answer is empty"


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit[:-1] if count == 1 else unit}"


def _short(text: str) -> str:
    return shortened(text, _TOLD_CHARACTERS)
