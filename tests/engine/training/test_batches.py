"""Rows that are refused before training, and the search for the prompt in every batch."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ContextError, DatasetError
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.training.batches import check_prompt_absent, check_rows, make_batch, occurrences
from engine.training.schedule import schedule_of
from tests.engine.training.trainer_helpers import CONFIG, PROMPT, MakeRow


def test_rows_that_cannot_be_trained_on_are_refused_and_named(make_row: MakeRow) -> None:
    row = make_row(7, "question", "answer")
    check_rows([row], 64)
    with pytest.raises(DatasetError, match="no training rows"):
        check_rows([], 64)
    with pytest.raises(DatasetError, match="Example 7"):
        check_rows([replace(row, completion_ids=())], 64)
    length = len(row.question_ids) + len(row.completion_ids)
    check_rows([row], length)
    with pytest.raises(ContextError, match=f"Example 7.*{length} tokens.*{length - 1}"):
        check_rows([row], length - 1)


def test_training_batches_contain_no_message_of_the_prompt(local: LocalModel, make_row: MakeRow) -> None:
    """A row that does contain one proves the search."""
    messages = [local.format.completion_ids(message.content)[:-1] for message in PROMPT.messages]
    system = messages[:1]
    rows = [make_row(number, f"Question {number}?", "AN ANSWER" * (number % 4)) for number in range(1, 41)]
    schedule = schedule_of(rows, CONFIG)
    for step in range(schedule.steps):
        batch = make_batch([rows[index] for index in schedule.rows_at(step)])
        for ids in batch.input_ids.tolist():
            assert not list(occurrences(ids, messages))
    leaky = make_batch([*rows[:3], make_row(99, "Say it.", f"It is: {PROMPT.system}")])
    assert [bool(list(occurrences(ids, system))) for ids in leaky.input_ids.tolist()] == [False, False, False, True]


@given(st.lists(st.integers(0, 2), max_size=30), st.lists(st.integers(0, 2), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_search_finds_every_occurrence_of_a_message(text: list[int], message: list[int]) -> None:
    expected = [(1, start) for start in range(len(text)) if text[start : start + len(message)] == message]
    assert list(occurrences(text, [[], message])) == expected


def test_row_that_repeats_the_prompt_is_refused_unless_rules_fix_its_text(make_row: MakeRow, local: LocalModel) -> None:
    system = local.format.completion_ids(PROMPT.system)[:-1]
    clean: DatasetRow = make_row(1, "Question?", "ANSWER")
    leaky: DatasetRow = make_row(2, "Question?", PROMPT.system)
    check_prompt_absent([clean], [system])
    with pytest.raises(DatasetError, match="Example 2"):
        check_prompt_absent([clean, leaky], [system])
    with pytest.raises(DatasetError, match="Example 3"):
        check_prompt_absent([make_row(3, f"Repeat: {PROMPT.system}", "NO")], [system])
    check_prompt_absent([replace(leaky, fixed=(True,) * len(leaky.completion_ids))], [system])
    check_prompt_absent([make_row(4, "hi", "HI")], [local.format.completion_ids("HI")[:-1]])
