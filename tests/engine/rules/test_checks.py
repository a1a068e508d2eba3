"""Every kind of check, on answers that pass it, fail it, and attack it."""

import json
import time
import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import Check, CheckResult, Rule, Span, passes_all
from engine.rules.checks import MAX_ANSWER_CHARACTERS, check_answer, validate_check


def found(check: Check, answer: str, label: str | None = None) -> CheckResult:
    question = Question((Message("user", "?"),), label=label)
    (result,) = check_answer([Rule(7, "a rule", check)], answer, question)
    assert result.rule_id == 7
    assert result.passed or result.note
    return result


def test_pattern_is_searched_anywhere_and_its_match_is_fixed_text() -> None:
    result = found(Check("pattern", pattern=r"RISK SCORE: [1-5]"), "So: RISK SCORE: 3. Fine.")
    assert result.passed
    assert result.fixed == (Span(4, 17),)
    assert not found(Check("pattern", pattern="^RISK"), "So: RISK").passed


def test_empty_match_of_a_pattern_fixes_no_text() -> None:
    assert found(Check("pattern", pattern="x*"), "abc") == CheckResult(7, True)


def test_catastrophic_pattern_fails_with_a_timeout_note() -> None:
    result = found(Check("pattern", pattern=r"^(a|a)*(b)\2?(a|aa)+$"), "ab" + "a" * 5_000 + "!")
    assert result.note == "the pattern took longer than 1 s"


def test_starts_with_ignores_leading_whitespace() -> None:
    check = Check("starts_with", text="Dear client,")
    assert found(check, "\n Dear client, hello").fixed == (Span(2, 14),)
    broken = found(check, "Hello there, Dear client,")
    assert broken.note == "starts with “Hello there,”, not “Dear client,”"
    assert broken.failing == (Span(0, 12),)
    assert found(check, "") == CheckResult(7, False, "the answer is empty")


def test_ends_with_ignores_trailing_whitespace() -> None:
    check = Check("ends_with", text="Stay safe.")
    assert found(check, "Yes. Stay safe.\n").fixed == (Span(5, 15),)
    assert found(check, "Stay safe. Bye").failing == (Span(4, 14),)
    assert found(check, "Go. Stay well.").note == "ends with “Stay well.”, not “Stay safe.”"
    long = found(Check("ends_with", text="x" * 50), "a" * 30 + "b" * 30).note
    assert long == f"ends with “…{'a' * 9}{'b' * 30}”, not “{'x' * 39}…”"


def test_contains_is_case_sensitive() -> None:
    check = Check("contains", text="IBAN")
    assert found(check, "your IBAN please").fixed == (Span(5, 9),)
    assert found(check, "your iban please").note == "“IBAN” is missing"


def test_forbidden_text_is_found_everywhere_in_any_case() -> None:
    result = found(Check("forbidden", texts=("sorry", "as an AI", "(x+)+$")), "Sorry, so SORRY; as an ai")
    assert result.failing == (Span(0, 5), Span(10, 15), Span(17, 25))
    assert result.note == "contains forbidden “sorry”, “as an AI”"
    assert found(Check("forbidden", texts=("sorry",)), "Gladly").passed


@pytest.mark.parametrize(
    ("check", "answer", "note"),
    [
        (Check("length", max=46), "word " * 47, "1 of 47 words too many"),
        (Check("length", min=3), "two words - •", "2 words, 1 too few"),
        (Check("length", unit="sentences", max=2), "One. Two! Three?", "1 of 3 sentences too many"),
        (Check("length", unit="lines", max=1), "a\n\n b \n", "1 of 2 lines too many"),
        (Check("length", unit="sentences", min=2), "One.", "1 sentence, 1 too few"),
    ],
)
def test_length_note_counts_what_is_too_many_or_too_few(check: Check, answer: str, note: str) -> None:
    assert found(check, answer).note == note


def test_length_marks_the_excess() -> None:
    assert found(Check("length", max=2), "one two three four ").failing == (Span(8, 18),)
    assert found(Check("length", min=1, max=2), "one two").passed


@pytest.mark.parametrize("answer", ["{}", ' [1, "a", null]\n', "3", '"text"'])
def test_valid_json_passes(answer: str) -> None:
    assert found(Check("json"), answer).passed


@pytest.mark.parametrize(
    "answer", ["", "```json\n{}\n```", "{'a': 1}", "NaN", '{"a": Infinity}', "{} {}", "[" * 90_000, "1" * 9_000, "{"]
)
def test_invalid_json_fails(answer: str) -> None:
    assert not found(Check("json"), answer).passed


def test_json_note_says_what_is_wrong_and_where() -> None:
    assert found(Check("json"), '{"a": "b').note == "not JSON: Unterminated string starting at character 7"


def test_json_schema_is_applied() -> None:
    schema = {"type": "object", "required": ["score"], "properties": {"score": {"type": "integer", "maximum": 5}}}
    check = Check("json", schema=json.dumps(schema))
    assert found(check, '{"score": 5}').passed
    assert found(check, '{"score": 9}').note == "$.score: 9 is greater than the maximum of 5"
    assert "required" in found(check, "{}").note


def test_json_schema_pattern_runs_under_the_time_limit() -> None:
    check = Check("json", schema=json.dumps({"type": "string", "pattern": r"^(a|a)*(b)\2?(a|aa)+$"}))
    assert found(check, json.dumps("ab" + "a" * 5_000 + "!")).note == "the pattern took longer than 1 s"


@pytest.mark.parametrize(
    ("schema", "answer", "passed"),
    [
        ({"multipleOf": 0.01}, "19.99", True),
        ({"multipleOf": 0.01}, "19.995", False),
        ({"multipleOf": 0.5}, "1" * 4_000, True),
        ({"multipleOf": 0.01}, "1e999", False),
        ({"uniqueItems": True}, '[1, true, "1", [1], {"a": 1}, null]', True),
        ({"uniqueItems": True}, '[{"a": [1], "b": 2}, {"b": 2.0, "a": [1.0]}]', False),
    ],
)
def test_json_schema_compares_numbers_exactly_as_written(schema: object, answer: str, passed: bool) -> None:
    assert found(Check("json", schema=json.dumps(schema)), answer).passed is passed


@pytest.mark.parametrize("answer", [json.dumps([{"a": n} for n in range(9_000)]), "e.g. " * 20_000, "J. " * 33_000])
def test_long_answers_are_checked_within_seconds(answer: str) -> None:
    started_at = time.thread_time()
    check_answer(
        [
            Rule(1, "", Check("json", schema='{"uniqueItems": true}')),
            Rule(2, "", Check("length", unit="sentences", max=3)),
        ],
        answer,
    )
    assert time.thread_time() - started_at < 5  # it would take minutes if every item were compared with every other


@pytest.mark.parametrize("reference", ["https://example.com/schema.json", "#/$defs/absent"])
def test_json_schema_fetches_nothing(reference: str) -> None:
    with pytest.raises(UsageError, match=r"Rule 7 cannot be used. json: it refers to"):
        found(Check("json", schema=json.dumps({"$ref": reference})), "{}")


@pytest.mark.parametrize(
    ("code", "answer", "passed"),
    [
        ("en", "Your card will arrive within five working days.", True),
        ("en", "Ihre Karte kommt innerhalb von fünf Werktagen an.", False),
        ("de", "Ihre Karte kommt innerhalb von fünf Werktagen an.", True),
        ("en", "カードは五営業日以内に届きます。ご安心ください。", False),
        ("fr", "Votre carte arrivera sous cinq jours ouvrables.", True),
    ],
)
def test_language_is_detected(code: str, answer: str, passed: bool) -> None:
    assert found(Check("language", code=code), answer).passed is passed


def test_language_note_names_both_languages() -> None:
    answer = "Ihre Karte ist gesperrt; eine neue kommt in den nächsten Tagen mit der Post."
    assert found(Check("language", code="en"), answer).note == "in German, not in English"


def test_text_too_short_to_detect_its_language_passes_with_a_note() -> None:
    result = found(Check("language", code="en"), "RISK SCORE: 3.")
    assert result.passed
    assert result.note == "too short to detect its language"
    assert not found(Check("language", code="en"), "こんにちは").passed


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_text_matches_in_any_unicode_normal_form(form: Literal["NFC", "NFD"], other: Literal["NFC", "NFD"]) -> None:
    text, answer = unicodedata.normalize(form, "Café"), unicodedata.normalize(other, " Café ")
    span = (Span(1, len(answer) - 1),)
    assert found(Check("starts_with", text=text), answer).fixed == span
    assert found(Check("ends_with", text=text), answer).fixed == span
    assert found(Check("contains", text=text), answer).fixed == span
    assert found(Check("forbidden", texts=("tea", text)), answer).failing == span
    assert found(Check("label", labels=("tea", text), gold=True), answer, label=text).fixed == span
    assert not found(Check("contains", text=text), "Cafe").passed


LABEL = Check("label", pattern=r"CATEGORY: (\w+)", labels=("Billing", "Cards"), gold=True)


def test_label_equals_the_gold_label_in_any_case() -> None:
    result = found(LABEL, "CATEGORY: cards. Yes.", label="CARDS")
    assert result.passed
    assert result.fixed == (Span(0, 15),)
    wrong = found(LABEL, "CATEGORY: BILLING", label="CARDS")
    assert wrong.note == "label BILLING, expected CARDS"
    assert wrong.failing == (Span(10, 17),)


def test_label_without_a_gold_label_tests_only_membership() -> None:
    assert found(LABEL, "CATEGORY: BILLING").passed
    assert check_answer([Rule(1, "", LABEL)], "CATEGORY: BILLING")[0].passed
    assert found(LABEL, "CATEGORY: LOANS").note == "label LOANS is not allowed"
    assert found(LABEL, "nothing").note == "no label found"


def test_label_without_a_pattern_is_the_whole_answer() -> None:
    check = Check("label", labels=("yes", "no"))
    assert found(check, " Yes\n").fixed == (Span(1, 4),)
    assert not found(check, "Yes, surely").passed
    assert not found(check, "  ").passed


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (Check("pattern", pattern="("), "not a regular expression"),
        (Check("pattern"), "the pattern is empty"),
        (Check("pattern", pattern="a" * 2_001), "the limit is 2000"),
        (Check("starts_with", text=" "), "text is empty"),
        (Check("forbidden"), "texts is empty"),
        (Check("forbidden", texts=("a", "")), "one of texts is empty"),
        (Check("length"), "neither min nor max"),
        (Check("length", min=3, max=2), "min 3 is above max 2"),
        (Check("length", max=0), "max at least 1"),
        (Check("json", schema="{"), "the schema is not JSON"),
        (Check("json", schema='{"type": "wish"}'), "'wish' is not valid"),
        (Check("json", schema='{"pattern": "("}'), "not a regular expression"),
        (Check("json", schema='{"patternProperties": {"^a": true}}'), "patternProperties is not supported"),
        (Check("json", schema='{"$ref": "#"}'), "a reference in it refers to itself"),
        (Check("json", schema='{"$schema": 5}'), "$schema: it is not a string"),
        (Check("json", schema='{"$id": "http://[", "$ref": "a"}'), "cannot be followed: Invalid IPv6 URL"),
        (Check("language", code="tlh"), "is not one of ar, bg"),
        (Check("label"), "neither labels nor gold"),
        (Check("label", labels=("a",), pattern="a"), "0 groups; it needs exactly one"),
        (Check("label", labels=("a",), pattern="(a)(b)"), "2 groups; it needs exactly one"),
    ],
)
def test_invalid_check_is_refused_with_its_reason(check: Check, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        validate_check(check, "Rule 3")
    assert caught.value.title == "Rule 3 cannot be used."
    assert expected in caught.value.message


def test_answer_that_is_too_long_fails() -> None:
    result = found(Check("contains", text="a"), "a" * (MAX_ANSWER_CHARACTERS + 1))
    assert result.note == "longer than 100000 characters"


def test_passes_all_requires_every_result_to_pass() -> None:
    assert passes_all(())
    assert passes_all((CheckResult(1, True), CheckResult(2, True)))
    assert not passes_all((CheckResult(1, True), CheckResult(2, False)))


CHECKS = (
    Check("pattern", pattern=r"\b(\w+)\b.*\1"),
    Check("starts_with", text="a"),
    Check("ends_with", text="a."),
    Check("contains", text="b"),
    Check("forbidden", texts=("ß", "I")),
    Check("length", unit="words", max=1),
    Check("length", unit="sentences", min=1, max=1),
    Check("length", unit="lines", max=1),
    Check("json", schema='{"type": "object"}'),
    Check("label", labels=("a", "b")),
)


@given(st.text(max_size=120))
def test_results_and_spans_are_consistent_for_any_answer(answer: str) -> None:
    results = check_answer([Rule(n, "", check) for n, check in enumerate(CHECKS, 1)], answer)
    assert [result.rule_id for result in results] == list(range(1, len(CHECKS) + 1))
    for result in results:
        assert result.passed is (result.note == "")
        assert not (result.passed and result.failing)
        assert not (result.fixed and not result.passed)
        for span in result.fixed + result.failing:
            assert 0 <= span.start < span.end <= len(answer)
