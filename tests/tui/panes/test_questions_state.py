"""The questions pane without a screen: its state, its lines, and the arguments its forms make."""

from dataclasses import replace

import pytest

from engine.records.options import ProjectSettings
from engine.records.prompt import Message
from engine.records.question import Question, QuestionFilter, Split
from tests.tui.seeds import PROMPT
from tui.panes.questions.drawing import draw
from tui.panes.questions.forms import LATER, format_text, import_args, split_args
from tui.panes.questions.state import QuestionsState
from tui.panes.questions.views import draw_import, draw_split
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.questions import (
    WINDOW,
    ImportPreview,
    Pair,
    QuestionRow,
    QuestionsPage,
    RemovedQuestion,
    SplitPreview,
    Step,
    TopicCounts,
    Where,
)


def question(number: int, text: str = "q", split: Split | None = "train") -> Question:
    return Question((Message("user", f"{text} {number}"),), topic="t", split=split, id=number)


def page(total: int, offset: int = 0, rows: int = WINDOW, where: Where | None = None) -> QuestionsPage:
    shown = tuple(QuestionRow(question(n)) for n in range(offset, min(offset + rows, total)))
    return QuestionsPage(where or Where(), shown, offset, total, {"train": total})


def state_of(total: int) -> QuestionsState:
    state = QuestionsState()
    state.take(page(total), state.ask())
    return state


def make_view(width: int = 80, height: int = 24) -> View:
    return View(Facts("p", "/p", ProjectSettings(), (), prompt=PROMPT), None, width, height)


def test_only_a_window_of_100_000_questions_is_held() -> None:
    state = state_of(100_000)
    assert not state.move(199)
    assert state.row is not None
    assert state.move(50_000)
    assert state.row is None
    lines = [line.plain for line in draw(make_view(), state)]
    assert len(lines) <= 24
    assert "100,000" in lines[0]
    assert any(line.strip() == "…" for line in lines)


def test_open_range_in_a_filtered_list_names_the_key_that_ends_it() -> None:
    listed = QuestionFilter("train", "cards that were lost on a long way", "how do I get another one")
    state = QuestionsState(where=Where(listed))
    state.take(page(12, where=Where(listed)), state.ask())
    state.range_from = 0
    heading = draw(make_view(76), state)[1]
    assert heading.plain.endswith("marking a range   v ends it")
    assert heading.plain.startswith("12 questions listed   train   ")
    assert heading.cell_length <= 76


def test_next_step_of_split_questions_is_the_prompt_if_there_is_none_and_else_the_examples() -> None:
    state = state_of(3)
    with_prompt = make_view()
    without = replace(with_prompt, facts=replace(with_prompt.facts, prompt=None))
    assert draw(with_prompt, state)[1].plain.endswith("the examples are next: the teacher answers")
    assert draw(without, state)[1].plain.endswith("the prompt is next: the teacher answers with it")


def test_questions_without_a_topic_are_not_counted_as_one() -> None:
    state = state_of(3)
    state.mode = "topics"
    state.take_topics((TopicCounts("cards", {"train": 2}), TopicCounts("", {"train": 1})))
    lines = [line.plain for line in draw(make_view(), state)]
    assert lines[0].startswith("Topics   1 ")
    assert any("no topic" in line for line in lines)


def test_only_the_last_requested_window_is_accepted() -> None:
    state = QuestionsState()
    first, second = state.ask(), state.ask()
    state.take(page(3), first)
    assert state.page is None
    state.take(page(5), second)
    assert state.total == 5


def test_actions_apply_to_marked_rows_or_else_to_the_cursor() -> None:
    state = state_of(10)
    assert state.chosen == (0,)
    state.move(4)
    state.mark()
    state.move(2)
    state.mark()
    assert list(state.chosen) == [4, 7]
    state.did(Step("the deletion", removed=(RemovedQuestion(question(4), ""),)))
    assert list(state.chosen) == [7]
    state.mark_all((7, 8))
    assert list(state.chosen) == [7, 8]
    state.mark_all((8, 7))
    assert not state.marks


def test_filter_cycles_through_the_splits_and_back_to_all() -> None:
    state = state_of(4)
    for split in ("train", "validation", "test", "unsplit", None):
        state.turn_filter()
        assert state.where.listed == QuestionFilter(split=split)


def after_back(state: QuestionsState) -> tuple[bool, int | None, int, str]:
    """Go back; whether the list must be read again, and what remains of the range, the marks and the view."""
    return state.back(), state.range_from, len(state.marks), state.mode


def test_escape_goes_back_one_step_at_a_time() -> None:
    state = state_of(10)
    state.look_for("words")
    state.mode, state.range_from, state.marks = "topics", 2, {1}
    assert [after_back(state) for _ in range(3)] == [
        (False, None, 1, "topics"),
        (False, None, 0, "topics"),
        (False, None, 0, "list"),
    ]
    assert state.back()
    assert state.where == Where()


def test_pairs_with_a_deleted_question_are_dropped() -> None:
    state = state_of(10)
    pairs = tuple(Pair(question(kept), question(dropped), 0.9) for kept, dropped in ((1, 2), (3, 4), (2, 5)))
    state.show_twins(pairs, 7)
    state.move(2)
    state.forget_pairs([2])
    assert (state.pairs, state.pairs_total, state.pair_at) == (pairs[1:2], 5, 0)


@pytest.mark.parametrize(("width", "height"), [(78, 21), (88, 37), (58, 18)])
def test_every_view_fits_its_width(width: int, height: int) -> None:
    long = "word " * 400
    preview = ImportPreview(long, 900, 3, ((7, long), (1_000_000, "x")), (long,), ((long, long, 3),) * 20)
    topics = tuple(TopicCounts(f"{long} {n}", {"train": 99_999, None: 3}) for n in range(60))
    state = state_of(30)
    state.show_twins((Pair(question(1, long), question(2, long), 0.7),), 1)
    views = [
        draw_import(preview, width, height, busy=""),
        draw_split(SplitPreview(60, topics, (long,)), width, height, busy=""),
        draw(make_view(width, height), state),
    ]
    for lines in views:
        assert max(line.cell_length for line in lines) <= width, lines


def test_form_values_become_command_arguments() -> None:
    values = {"path": "a.csv", "text": "what", "topic": "", "label": "gold", "split": LATER, "limit": "5"}
    assert import_args(values) == [
        "a.csv", "--split", "later", "--text-column", "what", "--label-column", "gold", "--limit", "5",
    ]  # fmt: skip
    assert split_args({"validation": "15", "test": "5", "seed": "3"}) == [
        "--validation", "0.15", "--test", "0.05", "--seed", "3",
    ]  # fmt: skip
    assert format_text("x.CSV").startswith("CSV")
    assert "cannot be read" in format_text("x.xlsx")
    assert "hub" in format_text("owner/name")


def test_split_preview_shows_what_is_wrong_with_the_shares() -> None:
    preview = SplitPreview(10, (TopicCounts("cards", {"test": 10}),), ("No question on “cards” is trained.",))
    shown = "\n".join(line.plain for line in draw_split(preview, 80, 24, busy=""))
    assert "! No question on “cards” is trained." in shown
