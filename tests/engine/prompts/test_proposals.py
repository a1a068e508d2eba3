"""Rules proposed from a prompt: the check each sentence asks for, its place, and no duplicates."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.prompts.checkable import checks_of
from engine.prompts.documents import parse_prompt, prompt_to_markdown
from engine.prompts.proposals import propose_rules, rules_of
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, Rule
from engine.rules.checks import check_answer, validate_check

WELL_WRITTEN = sorted((Path(__file__).parent / "well_written").glob("*.md"))


@pytest.mark.parametrize(
    ("sentence", "check"),
    [
        ("Answer in at most 40 words.", Check("length", max=40)),
        ("Keep answers under 100 words.", Check("length", max=99)),
        ("Never use more than three sentences.", Check("length", unit="sentences", max=3)),
        ("Reply in one sentence.", Check("length", unit="sentences", min=1, max=1)),
        ("Answer in one or two sentences.", Check("length", unit="sentences", min=1, max=2)),
        ("Be brief: 8 to 26 words, the signature included.", Check("length", min=8, max=26)),
        ("Write at least five lines.", Check("length", unit="lines", min=5)),
        ("Length: no more than two short sentences.", Check("length", unit="sentences", max=2)),
        ("Your answer must not exceed 280 characters.", Check("pattern", pattern=r"(?s)\A.{0,280}\Z")),
        ("Begin with «Hello».", Check("starts_with", text="Hello")),
        ("Open with «Regarding your …».", Check("starts_with", text="Regarding your ")),
        ("Begin with `RISK SCORE: <n>`.", Check("pattern", pattern=r"\A\s*RISK SCORE: \d+")),
        ("Begin with `SCORE: [1-5].`", Check("pattern", pattern=r"\A\s*SCORE: [1-5]\.")),
        ("Sign with — Meridian.", Check("ends_with", text="— Meridian")),
        ('End every answer with "Anything else?"', Check("ends_with", text="Anything else?")),
        ('Mention the phrase "no advice" in every reply.', Check("contains", text="no advice")),
        ('Never use the words "sorry" or "promise".', Check("forbidden", texts=("sorry", "promise"))),
        ("No exclamation marks.", Check("forbidden", texts=("!",))),
        ("Never apologise.", Check("forbidden", texts=("sorry", "apologise", "apologize", "apologies"))),
        ("Answer in English.", Check("language", code="en")),
        ("Return only JSON.", Check("json")),
        ("Return only a JSON object: `a`, `b`.", Check("json", schema='{"required": ["a", "b"], "type": "object"}')),
        (
            "Return JSON with the keys title, body and tags.",
            Check("json", schema='{"required": ["title", "body", "tags"], "type": "object"}'),
        ),
        (
            'Reply with JSON with the keys "a" and "b".',
            Check("json", schema='{"required": ["a", "b"], "type": "object"}'),
        ),
        ("Answer only with one of: card, loan, other.", Check("label", labels=("card", "loan", "other"))),
        (
            "Answer with one of: terms and conditions, billing, other.",
            Check("label", labels=("terms and conditions", "billing", "other")),
        ),
        (
            "Answer with one of: billing, other, and terms and conditions.",
            Check("label", labels=("billing", "other", "terms and conditions")),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_sentence_yields_the_check_it_asks_for(sentence: str, check: Check) -> None:
    assert checks_of(sentence) == (check,)


@pytest.mark.parametrize(
    ("sentence", "limits"),
    [
        ("Use at most 3 sentences and 60 words.", {("sentences", None, 3), ("words", None, 60)}),
        ("Never write more than three sentences or 60 words.", {("sentences", None, 3), ("words", None, 60)}),
        ("Answer in two sentences and under 40 words.", {("sentences", 2, 2), ("words", None, 39)}),
        ("Answer in 50 words and in two sentences.", {("sentences", 2, 2), ("words", None, 50)}),
        ("Write at least two sentences and 20 words.", {("sentences", 2, None), ("words", 20, None)}),
        ("Be brief: between 8 and 26 words.", {("words", 8, 26)}),
        ("Answer in 2 sentences and 40 words.", {("sentences", 2, 2), ("words", None, 40)}),
        ("Answer in one sentence or two sentences.", {("sentences", 1, 1)}),
        ("Answer in 2 to 3 sentences or 50 words.", {("sentences", 2, 3)}),
    ],
)
def test_every_limit_in_a_sentence_yields_a_check(
    sentence: str, limits: set[tuple[str, int | None, int | None]]
) -> None:
    assert {(check.unit, check.min, check.max) for check in checks_of(sentence)} == limits


def test_every_item_of_a_forbidding_list_is_checked() -> None:
    rules = [
        Rule(n, "", check)
        for n, check in enumerate(checks_of("Do not use bullet points, emojis or exclamation marks."))
    ]
    passed = {
        answer: all(result.passed for result in check_answer(rules, answer)) for answer in ("Yes.", "- a", "🎉", "!")
    }
    assert passed == {"Yes.": True, "- a": False, "🎉": False, "!": False}


@pytest.mark.parametrize(
    ("sentence", "good", "bad"),
    [
        (
            "Begin every answer with a line `TICKET: CATEGORY`, where CATEGORY is one of PRINTER or OTHER.",
            "TICKET: PRINTER\nYes.",
            "PRINTER: yes",
        ),
        ("Open with `RISK SCORE: N`, where N is 1 to 5.", "RISK SCORE: 4. Yes.", "RISK SCORE: N. Yes."),
        ("Use no bullet points.", "One - two.", "Well:\n- one"),
        ("Do not use emojis.", "Fine :-)", "Fine 🙂"),
        ("Write only in lowercase.", "yes, 3 of them.", "Yes."),
        ("Respond in a single paragraph.", "One.\nTwo.", "One.\n\nTwo."),
        ("Avoid markdown.", "2 * 3 # 4", "**Yes**"),
        ("Avoid code blocks.", "`x`", "```\nx\n```"),
        ("Do not use tables.", "|x| is 3 | 4.\n---\n", "Fees:\n| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ("Never answer in a table.", "a-b | c", "a | b\n--- | ---\n1 | 2"),
        ("Use no numbered lists.", "In 2. place", "1. one\n2. two"),
        ("Avoid headings.", "**Fees** #1", "## Fees\n3"),
        ("Begin with `SCORE: N`, where N is a number from 0 to 10.", "SCORE: 10. Yes.", "SCORE: 11. Yes."),
        ("Begin with `SCORE: N`, where N is 300 to 850.", "SCORE: 720. Yes.", "SCORE: good. Yes."),
        ("Begin with `SCORE: N`, where N is 5 to 1.", "SCORE: 3. Yes.", "SCORE: good. Yes."),
        ("Begin with `SCORE: N`, where N is 10 to 1.", "SCORE: 7. Yes.", "SCORE: good. Yes."),
        ("Begin with `SCORE: N`, where N is 1 to 5, and then explain.", "SCORE: 4. Yes.", "SCORE: 9. Yes."),
        ("Begin with `SCORE: N`, where N is 1 to 5, or NA.", "SCORE: NA. Yes.", "NA. Yes."),
        ("End with `On: DATE`, where DATE is the current date and time.", "Yes. On: 3 May, 9:00", "Yes."),
        ("Begin with `BY: NAME`, where NAME is the user or company.", "BY: Ada. Yes.", "Ada. Yes."),
        ("Begin with `DESK: D`, where D is card or loan.", "DESK: Loan. Yes.", "DESK: mail. Yes."),
        ('Begin with `IT: X`, where X is "open" or "shut now".', "IT: shut now. Yes.", "IT: lost. Yes."),
        ("Begin with `A: N/M`, where N is the day, and M is 1 to 5.", "A: Monday/4. Yes.", "A: Monday/9. Yes."),
        ("Use no bold.", "Call `__init__`, 2**3 and f(**a, **b): ____.", "It is **very late**."),
        ("Avoid markdown formatting.", "x = a**2 + b**2", "It is **late**."),
    ],
)
def test_format_check_passes_good_and_fails_bad_answers(sentence: str, good: str, bad: str) -> None:
    (check,) = checks_of(sentence)
    rule = Rule(1, sentence, check)
    assert [check_answer((rule,), answer)[0].passed for answer in (good, bad)] == [True, False]


@pytest.mark.parametrize(
    "sentence",
    [
        "Write a title of at most 8 words.",
        "Each bullet has at most 10 words.",
        "Use sentences of at most 15 words.",
        "Then give a reason in two sentences.",
        'Start with "Yes" or "No".',
        'Do not begin with "Hello".',
        "Do not answer in French.",
        "Answer in English or in German.",
        "Answer questions about JSON.",
        "Never use bullet points in mails.",
        "Answer with one of: billing, other, terms and conditions.",
        "Explain what the word limit of 100 words means.",
    ],
)
def test_partial_or_ambiguous_instruction_yields_no_check(sentence: str) -> None:
    assert checks_of(sentence) == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "Do not use bullet points, jargon or tables.",
        "No jargon, no bullet points.",
        "Use at most 40 words and thank the customer.",
        "Be kind and use at most 40 words.",
        "Begin with «Dear» and the customer's name.",
        "Begin with «Hello» on its own line.",
        "Include «Terms apply» and a greeting.",
        "The reply begins with «CASE:» and mentions the branch.",
        "Return only JSON on one line.",
        "Never use more than 40 words or mention prices.",
        "Respond only in JSON: no prose, comments or explanations.",
        "Output JSON: compact and valid.",
        "Return JSON with exactly the fields above and nothing else.",
        "Return JSON with the fields above and below.",
        "Return JSON whose keys are snake_case and lowercase.",
        "Return JSON with keys sorted and indented.",
        "Reply in JSON with the keys `a`, `b` (optional).",
        "Reply in JSON with the key `a`, which is `yes` or `no`.",
    ],
)
def test_sentence_that_demands_more_than_a_check_tests_is_proposed_as_a_rubric(sentence: str) -> None:
    assert [(row.text, row.check) for row in propose_rules(parse_prompt(sentence))] == [(sentence, None)]
    checks = checks_of(sentence)
    assert checks, "the part that is understood still counts for contradictions"
    assert not any(check.schema for check in checks)


def test_sentence_whose_check_could_not_be_run_is_proposed_as_a_rubric() -> None:
    ranges = ", ".join(f"and {name} is 100 to 300" for name in "MKJ")
    for sentence in (
        f"Begin with `A: N B: M C: K D: J`, where N is 100 to 300, {ranges}.",
        "Write between 100 and 50 characters.",
    ):
        assert [(row.text, row.check) for row in propose_rules(parse_prompt(sentence))] == [(sentence, None)]


def test_long_lists_of_what_is_forbidden_are_read_within_seconds() -> None:
    started_at = time.process_time()
    for number in range(10):
        for item in ("a", "«a»", "the word «a»"):
            checks_of(f"Answer {number} " + f"without {item}, " * (3_900 // len(f"without {item}, ")) + "c.")
    assert time.process_time() - started_at < 3.0


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("Be brief and use at most 40 words.", ["length"]),
        ("Answer mails about cards and loans in at most 40 words.", ["length"]),
        ("Use at most 40 words and end with «Bye.»", ["length", "ends_with"]),
        ("The reply begins with «A» and ends with «B».", ["starts_with", "ends_with"]),
        ("Begin with «A» and nothing else before it.", ["starts_with"]),
        ("Include «Terms apply» and «No warranty».", ["contains", "contains"]),
        ("Do not use emojis or the word «sorry».", ["forbidden", "pattern"]),
        ("Answer without tables, without using emojis.", ["pattern", "pattern"]),
        ("Answer only with one of: order status, return an item, other.", ["label"]),
    ],
)
def test_sentence_whose_parts_are_all_tested_is_proposed_with_its_checks(sentence: str, kinds: list[str]) -> None:
    assert [row.check.kind if row.check else "" for row in propose_rules(parse_prompt(sentence))] == kinds


@pytest.mark.parametrize(
    ("text", "demands"),
    [
        (
            "1. Begin every answer with `CASE: ` followed by one of these:\n   CARDS, LOANS,\n   OTHER.\n2. Be kind.",
            ["Begin every answer with `CASE: ` followed by one of these: CARDS, LOANS, OTHER.", "Be kind."],
        ),
        (
            'Begin with "CASE:", followed by one of these: CARDS,\nLOANS.',
            ['Begin with "CASE:", followed by one of these: CARDS, LOANS.'],
        ),
        ("Sign every answer with the name of\nMeridian Bank.", ["Sign every answer with the name of Meridian Bank."]),
        (
            "Always follow these rules in every answer:\nNever quote fees.\nBe kind, brief and honest.",
            ["Never quote fees.", "Be kind, brief and honest."],
        ),
        (
            "Use at most 40 words in each of your answers\nBegin with a greeting",
            ["Use at most 40 words in each of your answers", "Begin with a greeting"],
        ),
        ("Use these words only, with care,\n- Be kind.", ["Use these words only, with care,", "Be kind."]),
        ("## Rules to live by\nNever use emojis.", ["Never use emojis."]),
    ],
)
def test_wrapped_sentence_is_read_to_its_end(text: str, demands: list[str]) -> None:
    found = propose_rules(parse_prompt(text))
    assert [row.text for row in found] == demands


def test_start_followed_by_one_of_a_list_is_checked_as_a_label() -> None:
    (check,) = checks_of("Begin every answer with `CASE: ` followed by one of these categories: CARDS, LOANS, OTHER.")
    rule = Rule(1, "", check)
    answers = ("CASE: CARDS\nYes.", "CASE: loans. Yes.", "CASE: MAIL\nYes.", "CARDS")
    assert [check_answer((rule,), answer)[0].passed for answer in answers] == [True, True, False, False]


def test_proposal_has_its_place_and_the_rule_that_covers_it() -> None:
    prompt = parse_prompt('Bank desk.\n\n## Rules\n\n- Use at most 40 words and end with "Bye."\n- Quote no fees.\n'
                          "- If asked for a loan, begin with «Loan».\n\nBe kind.")  # fmt: skip
    known = Rule(4, "Short", Check("length", max=40))
    found = propose_rules(prompt, [known])
    assert [(row.line, row.check.kind if row.check else "", row.rule) for row in found] == [
        (5, "length", 4), (5, "ends_with", 0), (6, "", 0), (7, "", 0), (9, "", 0),
    ]  # fmt: skip
    assert all(prompt.system[row.span.start : row.span.end] == row.text for row in found)
    assert [rule.check for rule in rules_of(found)] == [Check("ends_with", text="Bye."), *[Check("rubric")] * 3]


@pytest.mark.parametrize("path", WELL_WRITTEN, ids=lambda path: path.stem)
def test_added_rules_are_not_proposed_again(path: Path) -> None:
    prompt = parse_prompt(path.read_text())
    found = propose_rules(prompt)
    assert found
    assert all(prompt_to_markdown(prompt).split("\n")[row.line - 1] for row in found)
    added = [Rule(number, rule.text, rule.check) for number, rule in enumerate(rules_of(found), 1)]
    for rule in added:
        validate_check(rule.check)
    assert rules_of(propose_rules(prompt, added)) == ()


SENTENCES = st.one_of(
    st.sampled_from(
        ["# Rules", "- At most 9 words.", "Begin with «A{b}».", "If so, sign with «— A».", "Be kind.", "```"]
    ),
    st.text(alphabet="Bbe 1«»\"'`<>[]{}().,:-#*\nöß中", max_size=40),
)


@given(st.lists(SENTENCES, min_size=1, max_size=12))
def test_proposals_for_any_prompt_are_deterministic_and_valid(parts: list[str]) -> None:
    prompt = Prompt((Message("system", "\n".join(parts).strip() or "x"),))
    found = propose_rules(prompt)
    assert found == propose_rules(prompt)
    assert len({row.check or row.text.casefold().rstrip(".!") for row in found}) == len(found)
    for row in found:
        assert 0 <= row.span.start < row.span.end <= len(prompt.system)
        if row.check is not None:
            validate_check(row.check)
