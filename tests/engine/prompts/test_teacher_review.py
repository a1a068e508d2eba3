"""Findings and rules from a teacher: strict JSON, only real quotes from the prompt, hostile text made safe."""

import json
from collections.abc import Sequence

import pytest

from engine.errors import TeacherError
from engine.prompts.documents import parse_prompt
from engine.prompts.teacher_review import Ask, review_prompt, review_rules
from engine.records.prompt import Message
from engine.records.rule import Check, Rule

PROMPT = parse_prompt("You answer for a bank.\n\nBe brief and give\nevery detail.\n\nAlways sign. Never sign.")


def teacher_replying(value: object) -> Ask:
    """A teacher that gives this reply, encoded as JSON unless it is text."""
    reply = value if isinstance(value, str) else json.dumps(value)

    def ask(messages: Sequence[Message]) -> str:
        assert "Be brief and give" in messages[-1].content
        return reply

    return ask


def finding(**fields: object) -> dict[str, object]:
    return {"kind": "vague", "quote": "Be brief", "problem": "p", "advice": "a", **fields}


def test_teacher_findings_are_placed_at_the_line_of_their_quote() -> None:
    contradiction = finding(kind="contradiction", quote="Never sign.", other_quote="Always sign.")
    review = review_prompt(PROMPT, teacher_replying({"findings": [finding(quote="give every detail."), contradiction]}))
    assert [(row.kind, row.line, row.other_line, row.source) for row in review.findings] == [
        ("vague", 3, 0, "teacher"), ("contradiction", 6, 6, "teacher"),
    ]  # fmt: skip
    assert review.findings[0].quote == "give\nevery detail."


def test_findings_without_a_real_quote_are_left_out_and_counted() -> None:
    invalid = [finding(quote="Be verbose"), finding(kind="contradiction", other_quote=""), finding(quote=" ")]
    review = review_prompt(PROMPT, teacher_replying({"findings": [*invalid, finding()]}))
    assert len(review.findings) == 1
    assert review.left_out == 3


def test_hostile_text_becomes_one_clean_line() -> None:
    review = review_prompt(
        PROMPT, teacher_replying({"findings": [finding(problem="\x1b[2Jbad\nnews\u202e", advice="x" * 9_999)]})
    )
    assert review.findings[0].problem == "␛[2Jbad news‹U+202E›"
    assert len(review.findings[0].advice) <= 600


def test_code_fence_around_the_whole_reply_is_removed() -> None:
    assert review_prompt(PROMPT, teacher_replying('```json\n{"findings": []}\n```')).findings == ()


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Here you are: {}",
        '{"findings": []} Anything else?',
        [],
        {"rules": []},
        {"findings": [], "more": 1},
        {"findings": {}},
        {"findings": ["x"]},
        {"findings": [finding(kind="ugly")]},
        {"findings": [finding(quote=1)]},
        {"findings": [finding(line=3)]},
        {"findings": [{"kind": "vague"}]},
        {"findings": [finding()] * 201},
        '{"findings": [NaN]}',
        "[" * 100_000,
        "x" * 200_001,
    ],
    ids=lambda reply: str(reply)[:30],
)
def test_malformed_reply_is_an_error(reply: object) -> None:
    with pytest.raises(TeacherError, match="cannot be read"):
        review_prompt(PROMPT, teacher_replying(reply))


def test_proposals_with_invalid_checks_or_quotes_are_left_out() -> None:
    known = Rule(2, "Signed", Check("ends_with", text="— A"))
    rules = [
        {"text": "Signed", "quote": "Always sign.", "check": {"kind": "ends_with", "text": "— A"}},
        {"text": "Is \x07kind", "quote": "Be brief", "check": None},
        {"text": "Impossible", "quote": "Be brief", "check": {"kind": "pattern", "pattern": "("}},
        {"text": "Unknown", "quote": "Be brief", "check": {"kind": "vibes"}},
        {"text": "Invented", "quote": "Be loud", "check": None},
    ]
    review = review_rules(PROMPT, [known], teacher_replying({"rules": rules}))
    assert [(row.text, row.check, row.rule, row.source) for row in review.proposals] == [
        ("Signed", known.check, 2, "teacher"), ("Is ␇kind", None, 0, "teacher"),
    ]  # fmt: skip
    assert review.left_out == 3
    with pytest.raises(TeacherError):
        review_rules(PROMPT, [], teacher_replying({"rules": [{"text": "a", "quote": "Be brief", "check": "json"}]}))
