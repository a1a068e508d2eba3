"""Checking a prompt: each problem is found at its line, and a well-written prompt has no findings."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bundled import bundled_text
from engine.prompts.documents import first_lines, parse_prompt, prompt_to_markdown
from engine.prompts.lint import lint_length, lint_prompt
from engine.prompts.variables import find_variables
from engine.records.finding import Finding
from engine.records.prompt import SHORT_PROMPT_TOKENS, Message, Prompt, Role
from engine.records.rule import Check, Rule
from engine.rules.documents import parse_rules

WELL_WRITTEN = sorted((Path(__file__).parent / "well_written").glob("*.md"))


def found(text: str, *rules: Rule) -> list[tuple[str, int, int]]:
    """(kind, line, other line) of every finding."""
    return [(finding.kind, finding.line, finding.other_line) for finding in findings(text, *rules)]


def findings(text: str, *rules: Rule) -> tuple[Finding, ...]:
    return lint_prompt(parse_prompt(text), rules)


@pytest.mark.parametrize("path", WELL_WRITTEN, ids=lambda path: path.stem)
def test_well_written_prompt_has_no_findings(path: Path) -> None:
    assert findings(path.read_text()) == ()


def test_there_are_ten_well_written_prompts() -> None:
    assert len(WELL_WRITTEN) == 10


def test_bundled_prompt_has_no_findings() -> None:
    prompt = parse_prompt(bundled_text("demo/prompt.yaml"))
    assert lint_prompt(prompt, parse_rules(bundled_text("demo/rules.yaml"), "bundled")) == ()
    assert lint_prompt(prompt) == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "Be brief.",
        "Keep your answers short.",
        "Answer the question, if possible.",
        "Mention the opening hours where appropriate.",
        "Try to answer politely.",
        "Use your best judgement.",
        "Explain fees, limits, etc.",
    ],
)
def test_vague_instruction_is_found(sentence: str) -> None:
    assert found(f"You answer for a bank.\n\n- {sentence}") == [("vague", 3, 0)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Be helpful, friendly and professional.",
        "Always be polite.",
        "Be concise and appropriate.",
        "Give accurate and useful answers.",
        "Think carefully before you answer.",
        "Keep in mind that users are busy.",
        "Take a deep breath.",
    ],
)
def test_untestable_instruction_is_found(sentence: str) -> None:
    assert found(f"You answer for a bank.\n{sentence}") == [("untestable", 2, 0)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Be brief: at most 30 words.",
        "Say that the desk tries to call back.",
        'Never say "if possible".',
        "Customers often write short letters, etc.",
        "Explain what a polite letter looks like.",
        "Be the customer's advocate.",
    ],
)  # fmt: skip
def test_precise_sentence_with_a_vague_word_has_no_finding(sentence: str) -> None:
    assert found(f"You answer for a bank.\n{sentence}") == []


def test_vague_length_is_accepted_if_a_number_is_given_elsewhere() -> None:
    assert found("Be brief.\nUse at most 30 words.") == []
    assert found("Be brief.", Rule(1, "Short", Check("length", max=30))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Answer in at least 100 words.", "Never use more than 50 words."),
        ("Use at most two sentences.", "Write at least four sentences."),
        ("Answer in English.", "Always reply in German."),
        ("Return only JSON.", 'End with "Bye."'),
        ("Begin every answer with «Hello».", "Respond with valid JSON."),
        ("Begin with «Hello».", "Start with «Good day»."),
        ("Sign with «— Ada».", "End with «Yours, Ada»."),
        ("Mention the phrase «no guarantee» in every answer.", "Never use the word «guarantee»."),
        ("Use bullet points.", "Never use bullet points."),
        ("Be concise.  Use 20 words.", "Give detailed answers."),
        ("Use formal language.", "Write in a casual tone."),
        ("Answer only with one of: yes, no.", "Answer only with one of: card, loan."),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_contradiction_is_found_with_both_lines(one: str, other: str, *, swapped: bool) -> None:
    first, second = (other, one) if swapped else (one, other)
    contradictions = [row for row in found(f"Bank desk.\n\n{first}\n\n{second}") if row[0] == "contradiction"]
    assert contradictions == [("contradiction", 5, 3)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Answer in at least 100 words.", "If the user is in a hurry, use at most 50 words."),
        ("Use at most two sentences.", "Write a title of at least four words."),
        ("Answer in English.", "When the user writes German, reply in German."),
        ("Use bullet points.", "Never use bullet points in mails."),
        ("Use 20 to 40 words.", "Use at most 40 words."),
        ("For refunds, begin with «Refund».", "For loans, begin with «Loan»."),
        ("Be concise.  Use 20 words.", "Explain the steps in the order in which they are done."),
    ],
)
def test_compatible_instructions_are_not_a_contradiction(one: str, other: str) -> None:
    assert found(f"Bank desk.\n\n{one}\n\n{other}") == []


def test_instructions_under_different_headings_do_not_contradict() -> None:
    assert found("# Refunds\n\nBegin with «Refund».\n\n# Loans\n\nBegin with «Loan».") == []


def test_repeated_instruction_is_found_despite_different_word_order() -> None:
    text = "# Form\n\nName the desk in every answer.\n\n# Style\n\n- In each reply, you must name the desk."
    assert found(text) == [("duplicate", 7, 3)]
    assert found("Refunds take 3 days: say so.\nRefunds take 5 days: say so.") == []


def test_each_repetition_gives_one_finding() -> None:
    repeated = ["Name the desk in every answer."] * 3
    text = "\n\n".join([*repeated, "Never name the desk in an answer.", *repeated])
    assert found(text) == [
        ("duplicate", 3, 1),
        ("duplicate", 5, 1),
        ("contradiction", 7, 1),
        *(("duplicate", line, 1) for line in (9, 11, 13)),
    ]


def test_hard_wrapped_sentence_is_reported_at_its_first_line() -> None:
    text = "You answer the questions of our customers.\n\nYou write to people who have little time, so\nbe polite."
    assert found(text) == []
    text = "Answer the questions of our customers in a way that\nfits, where appropriate, to what they know."
    assert found(text) == [("vague", 1, 0)]


def test_example_turn_that_fails_a_rule_is_reported_at_its_answer() -> None:
    turns = "\n\n## User\n\nOpen?\n\n## Assistant\n\nYes.\n\n## User\n\nShut?\n\n## Assistant\n\nNo. — Bank"
    signed = Rule(3, "Sign with «— Bank»", Check("ends_with", text="— Bank"))
    (finding,) = findings("You answer for a bank." + turns, signed)
    assert (finding.kind, finding.line, finding.quote) == ("example", 9, "Yes.")
    assert "rule 3" in finding.problem
    assert "example turn 1" in finding.problem


def test_without_rules_example_turns_are_checked_against_the_prompt() -> None:
    turns = "\n\n## User\n\nOpen?\n\n## Assistant\n\nYes, and we are glad to see you there."
    (finding,) = findings("Answer in at most 4 words." + turns)
    assert (finding.kind, finding.line) == ("example", 9)
    assert "line 1" in finding.problem
    assert findings("For refunds, answer in at most 4 words." + turns) == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The user is called {name}.", "{name}"),
        ("The user is called {{ name }}.", "{{ name }}"),
        ("You speak to <customer_name>.", "<customer_name>"),
        ("The plan is $PLAN.", "$PLAN"),
        ("Context:\n```\n{context}\n```", "{context}"),
        ("Begin with «Hello {user_name}».", "{user_name}"),
        ("Today is {date}.", "{date}"),
        ("Today is 3 March 2025.", "Today is 3 March 2025"),
        ("The current date is 2024-05-01.", "The current date is 2024-05-01"),
        ("Today's date: Monday", "Today's date: Monday"),
    ],
)
def test_text_that_depends_on_the_request_is_found(text: str, name: str) -> None:
    ((variable),) = find_variables(text)
    assert variable.name == name
    assert text[variable.start : variable.end] == name
    (finding,) = findings(f"You answer for a bank.\n{text}")
    assert finding.line == 2 + text.count("\n", 0, variable.start)
    assert "to the question" in finding.advice


@pytest.mark.parametrize(
    "text",
    [
        "Begin with RISK SCORE: <n>, from 1 to 5.",
        "Reply in this form:\nCategory: <category>\nReason: <reason>",
        'Return {"intent": "refund"}.',
        "Keep $HOME and $PATH as they are.",
        "It costs $20.",
        "<rules>\nBe kind to {} and {1}.\n</rules>",
        "Write `{name}` where a template needs a name.",
        "Today is a good day to save.",
        "The current date stands in the question.",
    ],
)
def test_answer_formats_and_code_are_not_variables(text: str) -> None:
    assert find_variables(text) == ()


def test_prompt_that_is_too_short_or_too_long_is_reported() -> None:
    assert [finding.kind for finding in lint_length(SHORT_PROMPT_TOKENS - 1, 2_048, "base")] == ["short"]
    assert lint_length(SHORT_PROMPT_TOKENS, 2_048, "base") == ()
    assert lint_length(1_800, None, "base") == ()
    (finding,) = lint_length(1_800, 2_048, "owner/base")
    assert "owner/base" in finding.problem
    assert "1800 of the 2048 tokens" in finding.problem


messages = st.text(alphabet="aB.:\n#-*`<>{}$ «»\"'", min_size=1).map(str.strip).filter(bool)


@given(st.lists(messages, min_size=1, max_size=5), st.booleans())
def test_findings_of_any_prompt_point_into_its_document(texts: list[str], has_system: bool) -> None:
    turns = texts[1 if has_system else 0 :]
    turns = turns[: len(turns) // 2 * 2]
    roles: tuple[Role, ...] = ("user", "assistant") * len(turns)
    system = (Message("system", texts[0]),) if has_system else ()
    prompt = Prompt((*system, *(Message(role, text) for role, text in zip(roles, turns, strict=False))))
    document = prompt_to_markdown(prompt).split("\n")
    for message, line in zip(prompt.messages, first_lines(prompt), strict=True):
        shown = document[line - 1]
        assert shown.removeprefix("\\") == message.content.split("\n")[0].removeprefix("\\")
    found = lint_prompt(prompt)
    assert found == lint_prompt(prompt)
    assert all(1 <= finding.line <= len(document) for finding in found)


@pytest.mark.parametrize(
    "text",
    [
        "# a" + " " * 20_000 + "b",
        "Ask {user_b} " * 4_000,
        "Ask <user_b> " * 4_000,
        "Ask `a` {user_b} " * 4_000,
        "Answer " + "Begin with «a», " * 4_000 + "b.",
    ],
    ids=["spaces in a heading", "braces", "angles", "code", "quotes"],
)
def test_very_long_line_is_checked_within_seconds(text: str) -> None:
    started_at = time.process_time()
    lint_prompt(Prompt((Message("system", text),)))
    assert time.process_time() - started_at < 3.0


SHORT = Rule(3, "At most 40 words.", Check("length", unit="words", max=40))


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        ("Answer in at most 20 words.", SHORT),
        ("Answer in at most twenty words.", SHORT),
        ("Answer in under 30 words.", SHORT),
        ("Answer in 10 to 20 words.", SHORT),
        ("Write at least 3 sentences.", Rule(3, "At least two sentences.", Check("length", unit="sentences", min=2))),
        ("Write one to three lines.", Rule(3, "1 to 2 lines.", Check("length", unit="lines", min=1, max=2))),
    ],
)
def test_outdated_length_rule_is_found(sentence: str, rule: Rule) -> None:
    (finding,) = findings(f"You answer for a bank.\n\n- {sentence}", rule)
    assert (finding.kind, finding.line, finding.quote) == ("rule", 3, sentence)
    assert "rule 3 says" in finding.problem


@pytest.mark.parametrize(
    "text",
    [
        "Answer in at most 40 words.",
        "Answer in at most forty words.",
        "Answer in under 41 words.",
        "Answer in under 40 words.",  # a rule may mean either
        "Answer in 20 to 40 words.",
        "Answer in at least 20 words.",  # gives no maximum
        "Answer in at most a hundred and fifty words.",
        "Answer in at most one hundred and twenty words.",
        "Answer in at most thirty-five words.",
        "Answer in at most 1,200 words.",
        "The title has at most 5 words.",
        "If it is a greeting, answer in at most 5 words.",
        "Answer in at most 20 words. Of a loan say at most 40 words.",
        "Answer in at most 20 words. Never be longer than twoscore words.",
        "# Titles\n\n- At most 20 words.",
        "Answer in at most 3 sentences.",
        "Never use the word «fee».",
        "Answer in about 20 words.",
    ],
)
def test_rule_is_not_reported_as_outdated_in_doubt(text: str) -> None:
    assert "rule" not in {finding.kind for finding in findings(f"You answer for a bank.\n\n{text}", SHORT)}


def test_two_rules_for_the_same_limit_are_not_reported_as_outdated() -> None:
    other = Rule(4, "Of loans at most 60 words.", Check("length", unit="words", max=60))
    assert "rule" not in {finding.kind for finding in findings("Answer in at most 20 words.", SHORT, other)}
