"""The lines of the review: they fit the page, and show state by signs and words."""

import dataclasses

import pytest
from textual.content import Content

from engine.curation.again import Asked
from engine.prompts.compare import ComparedLine, compare_texts
from engine.records.example import ExampleCounts
from engine.records.job import Job
from engine.records.rule import Check, CheckResult, Rule, Span
from tui.screens.curate import answer
from tui.screens.curate.answer import draw_answer
from tui.screens.curate.drawing import Drawn, draw
from tui.screens.curate.state import ReviewState
from tui.services.review import ReviewPage, ReviewRow, Where

RULES = (Rule(7, "Be brief", Check("length", unit="words", max=9)),)
ROW = ReviewRow(
    1, "What about my card?", "cards", "Call us.", "Call us.", "undecided", by_person=False, reason="", checks=(),
    question_id=4, attempts=(1,),
)  # fmt: skip
COUNTS = ExampleCounts(3, 1, 1, 1)


def draw_row(
    row: ReviewRow,
    width: int = 78,
    height: int = 22,
    where: Where | None = None,
    *,
    comparing: bool = False,
    scroll: int = 0,
    whole: bool = False,
) -> Drawn:
    page = ReviewPage(where or Where(), (row,), 0, 1, COUNTS, RULES, "p", 1)
    state = ReviewState(where or Where(), page, comparing=comparing, scroll=scroll, whole=whole)
    return draw(state, width, height)


def text_of(lines: list[Content]) -> str:
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize("width", [58, 78, 118])
@pytest.mark.parametrize(
    "row",
    [
        ROW,
        dataclasses.replace(ROW, question="why " * 99, topic="a topic that is too long", answer="word " * 900),
        dataclasses.replace(ROW, note="a note " * 30, reason="because " * 30, attempts=(1, 2), state="rejected"),
        dataclasses.replace(ROW, checks=tuple(CheckResult(n, False, "too long " * 9) for n in range(20))),
        dataclasses.replace(ROW, answer="\u4e16\u754c" * 200, generated="x"),
    ],
    ids=["plain", "long", "noted", "broken", "wide"],
)
@pytest.mark.parametrize("comparing", [False, True])
def test_every_line_fits_the_width(width: int, row: ReviewRow, *, comparing: bool) -> None:
    lines = draw_row(row, width, 22, comparing=comparing).lines
    assert len(lines) <= 22
    assert max(line.cell_length for line in lines) <= width


def test_long_answer_shows_scroll_hints_and_rule_numbers() -> None:
    long = dataclasses.replace(ROW, answer="word " * 900, checks=(CheckResult(7, False, "too long"),))
    top = draw_row(long)
    assert "lines below  PgDn PgUp enter" in text_of(top.lines)
    assert "✗ 7: too long · Be brief" in text_of(top.lines)
    end = draw_row(long, scroll=10_000)
    assert "lines above" in text_of(end.lines)
    assert "lines below" not in text_of(end.lines)
    assert draw_row(long, scroll=end.scroll + 1).scroll == end.scroll
    assert draw_row(ROW, scroll=9).scroll == 0
    whole = draw_row(long, whole=True)
    assert sum("word word" in line.plain for line in whole.lines) > sum("word word" in line.plain for line in top.lines)


@pytest.mark.parametrize("width", [78, 118])
def test_failed_rule_shows_the_reason_before_its_text(width: int) -> None:
    rule_text = f"Name the desk that {'really ' * 20}decides about accounts, cards, transfers and insurance."
    checks = (CheckResult(2, False, "no label found"), CheckResult(1, True, "24 words"))
    row = dataclasses.replace(ROW, checks=checks, state="rejected", reason="rule 2: no label found")
    lines = [
        line.plain
        for line in draw_answer(row, {1: "Be brief.", 2: rule_text}, width, 20, scroll=0, comparing=False).lines
    ]
    failed, passed, reason = lines[-3:]
    assert failed.startswith("✗ 2: no label found · Name the desk that")
    assert failed.endswith("…")
    assert passed == "✓ 1 Be brief. · 24 words"
    assert reason.startswith("rule 2: no label found · rejected by the rules")
    assert not any(".:" in line for line in lines)


def test_rules_that_do_not_fit_are_counted_and_passed_ones_drop_first() -> None:
    one_failed = dataclasses.replace(ROW, checks=tuple(CheckResult(n, passed=n > 1) for n in range(1, 30)))
    lines = draw_answer(one_failed, {}, 78, 14, scroll=0, comparing=False).lines
    assert "✗ 1" in lines[4].plain
    assert "more, passed" in text_of(lines)
    assert len(lines) <= 14
    many_failed = dataclasses.replace(ROW, checks=tuple(CheckResult(n, passed=n > 9) for n in range(1, 30)))
    lines = draw_answer(many_failed, {}, 78, 14, scroll=0, comparing=False).lines
    shown = sum(line.plain.startswith("✗") for line in lines)
    assert f"{29 - shown} more, {9 - shown} failed" in text_of(lines)
    assert shown < 9


def test_failing_words_are_underlined_unless_cleaning_shifted_the_text() -> None:
    failing = (CheckResult(7, False, "x", failing=(Span(0, 4),)),)
    clean = draw_answer(dataclasses.replace(ROW, checks=failing), {}, 78, 14, scroll=0, comparing=False)
    assert any("underline" in str(span.style) for line in clean.lines for span in line.spans)
    foreign = dataclasses.replace(ROW, answer="\x1b[2JCall", generated="\x1b[2JCall", checks=failing)
    shown = draw_answer(foreign, {}, 78, 14, scroll=0, comparing=False)
    assert not any("underline" in str(span.style) for line in shown.lines for span in line.spans)
    assert "\x1b" not in text_of(shown.lines)


def test_edit_is_marked_by_signs_and_not_by_colour_alone() -> None:
    edited = dataclasses.replace(ROW, generated="Please call us.\nBye.", answer="Do call us.\nBye.")
    lines = draw_answer(edited, {}, 78, 14, scroll=0, comparing=True).lines
    assert [line.plain for line in lines[2:5]] == ["- Please call us.", "+ Do call us.", "  Bye."]
    styles = {str(span.style) for line in lines[2:4] for span in line.spans}
    assert any("strike" in style for style in styles)
    assert any("underline" in style for style in styles)
    assert "edited; d shows only the answer" in text_of(lines)


def test_edited_answer_is_compared_once_per_width(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def counted(before: str, after: str) -> tuple[ComparedLine, ...]:
        compared.append(after)
        return compare_texts(before, after)

    monkeypatch.setattr(answer, "compare_texts", counted)
    answer._compared.cache_clear()
    edited = dataclasses.replace(ROW, answer="Call us today.")
    first = draw_row(edited, comparing=True).lines
    assert text_of(draw_row(edited, comparing=True).lines) == text_of(first)
    assert compared == ["Call us today."]
    draw_row(edited, 58, comparing=True)
    assert len(compared) == 2


def test_marks_flags_attempts_and_filters_are_shown() -> None:
    row = dataclasses.replace(ROW, note="ask Ana", attempts=(1, 2))
    shown = text_of(draw_row(row, where=Where("undecided", "card", topic="cards", rule=7)).lines)
    assert "undecided  topic cards  fails rule 7  “card”  1 of 1" in shown
    assert "▌ ○⚑" in shown
    assert "⚑ ask Ana" in shown
    assert "[ ] attempt 1 of 2" in shown
    state = ReviewState(Where(), ReviewPage(Where(), (row,), 0, 1, COUNTS, RULES, "p", 1))
    state.toggle_range()
    marked = text_of(draw(state, 78, 22).lines)
    assert "◆ 1 marked  range" in marked
    assert "▌◆○⚑" in marked


def test_answers_asked_again_and_bulk_actions_are_shown() -> None:
    job = Job(3, "generate", "waiting", "", "", "examples")
    page = ReviewPage(Where(), (ROW,), 0, 1, COUNTS, RULES, "p", 1, Asked(job, frozenset({4}), 0))
    shown = text_of(draw(ReviewState(Where(), page), 78, 22).lines)
    assert "● 1 asked again; job 3 waiting" in shown
    assert "● asked again" in shown
    assert "● 9 accepted …" in text_of(draw(ReviewState(Where(), page, doing="9 accepted …"), 78, 22).lines)


def test_empty_list_says_what_to_do() -> None:
    def shown(where: Where) -> str:
        return text_of(draw(ReviewState(where, ReviewPage(where, counts=COUNTS)), 78, 22).lines)

    assert "distill-tui generate" in shown(Where())
    assert "Nothing in this list: “x”." in shown(Where(search="x"))
    assert "esc   back to the previous list" in shown(Where(search="x"))
    assert "T   choose topic or rule" in shown(Where(rule=3))
    assert "has not answered yet" in text_of(draw(ReviewState(Where(rule=3), ReviewPage()), 78, 22).lines)
    assert "Reading" in text_of(draw(ReviewState(), 78, 22).lines)
