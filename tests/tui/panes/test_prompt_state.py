"""The prompt pane without a screen: its states, Markdown marks, drawn lines, and the rules its forms make."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clean import clean_line, clean_text
from engine.economics.tokens import TokenCount
from engine.errors import JobError, UsageError
from engine.prompts.compare import compare_texts
from engine.records.cost import EndpointPrices
from engine.records.options import ProjectSettings, TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.records.rule import Check, CheckResult, Rule, Span
from engine.rules.described import check_text
from engine.rules.documents import check_from_fields, check_to_fields
from engine.teachers.outlook import why_unpaid
from tests.hostile import hostile
from tests.tui.seeds import PROMPT, RULES
from tui.panes.prompt.drawing import draw_rules, draw_text
from tui.panes.prompt.editor import can_hold
from tui.panes.prompt.forms import check_fields, kind_of, problem_of, rule_fields, rule_from
from tui.panes.prompt.import_forms import trial_form
from tui.panes.prompt.marking import code_lines, marks_of
from tui.panes.prompt.other_drawing import draw_difference, draw_own_answer, draw_trial, draw_versions
from tui.panes.prompt.state import DraftState, OwnAnswerState, RulesState, TrialState, VersionsState
from tui.services.facts import Facts
from tui.services.prompt import Passage, VersionRow
from tui.services.trial import TriedAnswer, TriedRule

NUMBERED = tuple(dataclasses.replace(rule, id=number) for number, rule in enumerate(RULES, 1))


def version_row(version: int, *, current: bool = False) -> VersionRow:
    return VersionRow(version, "2026-01-02T03:04:05+00:00", "", 412, 3, 4, current)


class TestState:
    def test_draft_is_only_changed_text_and_can_be_restored(self) -> None:
        draft = DraftState()
        assert draft.drop() is None
        draft.keep("Be kind.\n", "Be kind.")
        assert draft.text is None
        draft.keep("Be kinder.", "Be kind.")
        assert [(draft.drop(), draft.text) for _ in range(2)] == [(True, None), (False, "Be kinder.")]

    def test_cursor_starts_on_the_previous_version_and_stays_in_the_list(self) -> None:
        state = VersionsState()
        assert state.row is None
        state.take((version_row(3, current=True), version_row(2), version_row(1)))
        assert state.row == version_row(2)
        assert state.move(5)
        assert state.row == version_row(1)
        assert not state.move(1)
        state.take((version_row(4, current=True),))
        assert state.row == version_row(4, current=True)

    def test_only_the_requested_difference_is_accepted(self) -> None:
        state = VersionsState()
        state.take((version_row(2, current=True), version_row(1)))
        assert not state.take_difference(2, False, ())
        assert not state.take_difference(1, True, ())
        assert state.lines is None
        assert state.take_difference(1, False, ())
        assert state.lines == ()
        state.move(-1)
        assert state.lines is None

    def test_passages_are_requested_once_and_late_ones_ignored(self) -> None:
        state = RulesState()
        assert state.wants((), PROMPT) is None
        assert state.wants(NUMBERED, None) is None
        assert state.wants(NUMBERED, PROMPT) == (NUMBERED[0], PROMPT)
        assert state.wants(NUMBERED, PROMPT) is None
        state.cursor = 9
        assert state.wants(NUMBERED, PROMPT) == (NUMBERED[3], PROMPT)
        assert not state.take(NUMBERED[0], PROMPT, ())
        assert state.passages is None
        assert state.take(NUMBERED[3], PROMPT, ())
        assert state.passages == ()

    def test_answers_of_an_earlier_trial_are_ignored(self) -> None:
        state, answer = TrialState(), TriedAnswer("q", "a", ())
        state.begin(2, 1, "starter", 1)
        state.answer(1, answer)
        state.end(1, None)
        assert (state.answers, state.running) == ([], True)
        state.answer(2, answer)
        state.end(2, None)
        assert (state.answers, state.running) == ([answer], False)


class TestMarking:
    def test_markdown_syntax_is_marked_and_prose_is_not(self) -> None:
        def marked(line: str) -> list[tuple[str, str]]:
            return [(mark.kind, line[mark.start : mark.end]) for mark in marks_of(line)]

        assert marked("## Tone") == [("heading", "## Tone")]
        assert marked("## Assistant ") == [("turn", "## Assistant ")]
        assert marked("  - Be `brief`, **never** late") == [
            ("list", "  -"),
            ("code", "`brief`"),
            ("strong", "**never**"),
        ]
        assert marked("2. Be brief") == [("list", "2.")]
        assert marked("> quoted") == [("quote", "> quoted")]
        assert marked("3.5 is no item, nor is 2*3*4") == []
        assert marked("#hashtag") == []

    def test_code_block_ends_at_the_next_fence(self) -> None:
        assert code_lines(["a", "```", "- b", "```", "c"]) == [False, True, True, True, False]
        assert [mark.kind for mark in marks_of("- b", code=True)] == ["code"]

    @given(st.text(st.sampled_from("#*`->1. \t\x1bab"), max_size=40), st.booleans())
    def test_marks_stay_within_their_line(self, line: str, code: bool) -> None:
        for mark in marks_of(line, code=code):
            assert 0 <= mark.start < mark.end <= len(line)


class TestDrawing:
    @pytest.mark.parametrize("width", [34, 52, 88])
    def test_passage_is_marked_and_its_first_line_returned(self, width: int) -> None:
        system = PROMPT.system
        start = system.index("Begin")
        lines, first = draw_text(PROMPT, [Passage(0, Span(start, len(system)))], width)
        assert all(line.cell_length <= width for line in lines)
        assert first is not None
        marked = "".join(
            line.plain[span.start : span.end] for line in lines for span in line.spans if "underline" in str(span.style)
        )
        assert marked.replace(" ", "") == system[start:].replace(" ", "")
        assert any("underline" in str(span.style) for span in lines[first].spans)
        assert draw_text(PROMPT, [], width)[1] is None

    def test_system_message_gets_the_full_width_and_turns_are_indented(self) -> None:
        line = "You answer for Meridian, a retail bank with 76 cells in the line of the text"
        prompt = Prompt((Message("system", line), Message("user", "Open?"), Message("assistant", "Yes.")))
        shown = [found.plain for found in draw_text(prompt, [], len(line))[0]]
        assert [text for text in shown if text[:3] in ("You", "› O", "  Y")] == [line, "› Open?", "  Yes."]

    def test_selected_rule_says_whether_its_passage_was_found(self) -> None:
        assert "marked in the text" in "\n".join(
            line.plain for line in draw_rules(NUMBERED, 0, [Passage(0, Span(0, 3))], 30, focused=True)
        )
        here = [line.plain for line in draw_rules(NUMBERED, 2, (), 30, focused=False) if line.plain.startswith("▌")]
        assert here[0].startswith("▌  3 At most 30 words")
        assert "not found in the text" in here[-1]
        assert "a   write one" in "\n".join(line.plain for line in draw_rules((), 0, None, 30, focused=True))

    @pytest.mark.parametrize(
        ("check", "description"),
        [
            (Check("length", unit="words", max=30), "at most 30 words"),
            (Check("length", unit="sentences", min=2), "at least 2 sentences"),
            (Check("length", unit="lines", min=1, max=1), "1 line"),
            (Check("length", unit="words", min=8, max=26), "8 to 26 words"),
            (Check("starts_with", text="Regarding your "), "starts with “Regarding your␣”"),
            (Check("forbidden", texts=tuple("abcdef")), "without “a”, “b”, “c”, “d” and 2 more"),
            (Check("label", labels=("card",), gold=True), "one of “card”, equal to the question's label"),
            (Check("label", gold=True), "a label, equal to the question's label"),
            (Check("json", schema="{}"), "JSON that matches a schema"),
            (Check("language", code="tlh"), "in tlh"),
            (Check("rubric"), "rubric"),
            (Check("language", code="de"), "in German"),
            (Check("pattern", pattern="^a"), "matches “^a”"),
        ],
    )
    def test_check_is_described_in_words(self, check: Check, description: str) -> None:
        assert check_text(check) == description

    def test_difference_has_signs_and_marks_changed_words(self) -> None:
        lines = draw_difference(compare_texts("Be very kind.\nAnd brief.", "Be quite kind.\nAnd brief."), 40)
        assert [line.plain for line in lines] == ["- Be very kind.", "+ Be quite kind.", "  And brief."]
        styles = {line.plain[span.start : span.end]: str(span.style) for line in lines for span in line.spans}
        assert "strike" in styles["very"]
        assert "underline" in styles["quite"]
        assert draw_difference((), 40)[0].plain == "No differences."

    def test_versions_show_the_exact_count_once_it_is_known(self) -> None:
        state = VersionsState()
        state.take((version_row(2, current=True), version_row(1)))
        state.counts = {2: TokenCount(520, "starter", exact=True), 1: TokenCount(430, "by length", exact=False)}
        text = "\n".join(line.plain for line in draw_versions(state, 100, 20))
        assert "   520 tokens" in text
        assert "≈ 520" not in text
        assert "≈ 430 tokens" in text

    @pytest.mark.parametrize("width", [40, 100])
    def test_trial_shows_answers_with_rule_findings(self, width: int) -> None:
        state = TrialState()
        state.begin(1, 3, "starter", 1)
        state.answer(1, TriedAnswer("Open?", "Yes. " * 30, (TriedRule(1, True, ""), TriedRule(2, False, "too long"))))
        text = "\n".join(line.plain for line in draw_trial(state, NUMBERED, 1, width))
        assert "1 of 3 answered" in text
        assert "✗ 2 too long" in text
        assert "✓ 1 Starts with" in text
        assert "is answering question 2" in text
        state.end(1, JobError("It broke off.", "Why.", "Do this."))
        text = "\n".join(line.plain for line in draw_trial(state, NUMBERED, 1, width))
        assert "✗ It broke off." in text
        assert "Do this." in text

    @pytest.mark.parametrize("width", [40, 100])
    def test_trial_says_what_the_next_answer_waits_for_until_it_arrives(self, width: int) -> None:
        def shown() -> str:
            return " ".join(line.plain.strip() for line in draw_trial(state, NUMBERED, 1, width))

        state = TrialState()
        state.begin(1, 2, "starter", 1)
        note = "Retry 1 of 6 in 1 s: The server failed. HTTP 500: boom."
        state.take_note(0, "of an earlier trial")
        assert "the teacher is answering question 1" in shown()
        state.take_note(1, note)
        assert f"● question 1: {note}" in shown()
        state.answer(1, TriedAnswer("Open?", "Yes.", ()))
        assert "the teacher is answering question 2" in shown()
        assert "Retry" not in shown()

    def test_trial_of_an_older_version_is_marked(self) -> None:
        state = TrialState()
        state.begin(1, 1, "starter", 1)
        texts = ["\n".join(line.plain for line in draw_trial(state, NUMBERED, version, 80)) for version in (1, 2)]
        assert ["answers to version 1; version 2 of the prompt is current" in text for text in texts] == [False, True]

    def test_hostile_text_is_escaped_in_every_line(self) -> None:
        evil = hostile("x")
        prompt = Prompt((Message("system", evil), Message("user", evil), Message("assistant", evil)))
        rules = tuple(dataclasses.replace(rule, text=evil, check=Check("contains", text=evil)) for rule in NUMBERED)
        versions = VersionsState()
        versions.take((dataclasses.replace(version_row(2), note=evil), version_row(1, current=True)))
        trial = TrialState()
        trial.begin(1, 1, evil, 1)
        trial.answer(1, TriedAnswer(evil, evil, (TriedRule(1, False, evil),)))
        trial.end(1, JobError(evil, evil, evil))
        own = OwnAnswerState(evil, rules, (CheckResult(1, False, evil),))
        for width in (30, 100):
            lines = [
                *draw_text(prompt, [Passage(0, Span(0, 4))], width)[0],
                *draw_rules(rules, 0, (), width, focused=True),
                *draw_versions(versions, width, 20),
                *draw_difference(compare_texts(evil, evil + evil), width),
                *draw_trial(trial, rules, 1, width),
                *draw_own_answer(own, width),
            ]
            for line in lines:
                assert line.plain == clean_text(line.plain)
                assert "\n" not in line.plain


plain = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=12).filter(
    lambda text: "|" not in text and clean_line(text) == text and not text.startswith("“")
)
any_check = st.one_of(
    st.builds(Check, st.sampled_from(["starts_with", "ends_with", "contains"]), text=plain),
    st.builds(Check, st.just("starts_with"), text=plain.map(lambda text: text + " ")),
    st.builds(Check, st.just("forbidden"), texts=st.lists(plain, min_size=1, max_size=3).map(tuple)),
    st.builds(Check, st.just("length"), unit=st.sampled_from(["words", "lines"]), min=st.integers(0, 3),
              max=st.none() | st.integers(3, 9)),
    st.builds(Check, st.just("label"), labels=st.lists(plain, min_size=1, max_size=3).map(tuple), gold=st.booleans()),
    st.builds(Check, st.just("language"), code=st.sampled_from(["en", "de"])),
    st.sampled_from([Check("json"), Check("json", schema='{"type": "object"}'), Check("pattern", pattern="^a[b-z]")]),
)  # fmt: skip


def form_values(rule: Rule) -> tuple[dict[str, str], dict[str, str]]:
    """The values of both forms as they open for a rule."""
    first = {field.id: field.value.strip() for field in rule_fields(rule)}
    return first, {field.id: field.value.strip() for field in check_fields(kind_of(first), rule.check)}


class TestForms:
    @given(plain, any_check)
    def test_unchanged_forms_return_the_same_rule(self, text: str, check: Check) -> None:
        rule = Rule(3, text, check)
        assert rule_from(rule, *form_values(rule)) == rule

    @given(plain, any_check)
    def test_rule_typed_again_is_the_same_rule(self, text: str, check: Check) -> None:
        rule = Rule(0, text, check_from_fields(check_to_fields(check)))
        assert rule_from(None, *form_values(rule)) == rule

    def test_text_a_form_cannot_show_is_kept_as_stored(self) -> None:
        rule = Rule(1, hostile("demand"), Check("contains", text=hostile("text")))
        first, second = form_values(rule)
        assert first["text"] == clean_line(first["text"])
        assert rule_from(rule, first, second) == rule
        assert rule_from(rule, first, {"text": "other"}).check == Check("contains", text="other")

    def test_changing_the_kind_starts_with_empty_fields(self) -> None:
        rule = Rule(1, "Brief", Check("length", unit="words", max=9))
        first = {"text": "Brief", "kind": "starts with"}
        assert [field.value for field in check_fields(kind_of(first), rule.check)] == [""]
        assert rule_from(rule, first, {"text": "So "}) == Rule(1, "Brief", Check("starts_with", text="So "))

    def test_check_that_cannot_run_is_reported(self) -> None:
        first = {"text": "Brief", "kind": "length"}
        assert "neither min nor max" in problem_of(None, first, {"unit": "words", "min": "", "max": ""})
        assert problem_of(None, first, {"unit": "words", "min": "", "max": "9"}) == ""
        with pytest.raises(UsageError):
            rule_from(None, {"text": "x", "kind": "pattern"}, {"pattern": "("})

    @pytest.mark.parametrize("typed", ["9" * 5000, "-", "1.5", "²"], ids=["long", "sign", "point", "raised"])
    def test_invalid_number_is_reported_while_typing(self, typed: str) -> None:
        first = {"text": "Brief", "kind": "length"}
        values = {"unit": "words", "min": "", "max": typed}
        assert problem_of(None, first, values)
        assert [field.id for field in check_fields("length", None) if field.check(values[field.id])] == ["max"]
        form = trial_form(Facts("p", "/p", ProjectSettings(), (), questions=(("train", 9),)))
        count = next(field for field in form._fields if field.id == "count")
        assert count.check(typed) == "A whole number from 1 to 20."
        assert "answers 0 questions" in form._aside({"question": "", "count": typed})


@pytest.mark.parametrize(
    ("teacher", "cost"),
    [
        (TeacherSpec(), "free, nothing leaves this machine"),
        (TeacherSpec("endpoint", "large", "http://127.0.0.1:8000/v1"), "free, a server on this machine"),
        (TeacherSpec("endpoint", "large", "https://llm.example.com/v1"), "billed by its provider"),
        (TeacherSpec("endpoint", "gpt-5", "https://api.openai.com/v1"), "billed by its provider"),
    ],
)
def test_trial_form_says_whether_the_teacher_is_billed(teacher: TeacherSpec, cost: str) -> None:
    facts = Facts("p", "/p", ProjectSettings(teacher=teacher), (), questions=(("train", 9),))
    assert cost in trial_form(facts)._aside({"question": "", "count": "3"})
    assert bool(why_unpaid(teacher, ())) is ("free" in cost)


def test_trial_form_says_that_a_priced_server_on_this_machine_is_billed() -> None:
    teacher = TeacherSpec("endpoint", "large", "http://127.0.0.1:8000/v1")
    prices = EndpointPrices(teacher.model, teacher.base_url, 1.0, 1.0, 2.0)
    settings = ProjectSettings(teacher=teacher, prices=(prices,))
    facts = Facts("p", "/p", settings, (), questions=(("train", 9),))
    assert "billed by its provider" in trial_form(facts)._aside({"question": "", "count": "3"})


def test_field_rejects_text_it_would_change() -> None:
    assert can_hold("")
    assert can_hold("one\n\ntwo \u200d \x1b\n")
    assert not can_hold("one\u2028two")
    assert not can_hold("one\x0ctwo")
