"""Which rows a step sees, what is refused before training, and the search for the prompt in every batch."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ContextError, DatasetError
from engine.model.local_model import LocalModel
from engine.records.dataset import DatasetRow
from engine.training.batches import check_prompt_absent, check_rows, make_batch, occurrences
from engine.training.schedule import Schedule, schedule_of
from tests.engine.training.runs import CONFIG, PROMPT, MakeRow

LENGTHS = st.lists(st.integers(2, 300), min_size=1, max_size=90).map(tuple)


@given(LENGTHS, st.integers(1, 12), st.integers(-3, 10**6))
@settings(max_examples=60, deadline=None)
def test_every_epoch_sees_every_row_once_in_batches_of_nearly_one_size(
    lengths: tuple[int, ...], batch_rows: int, seed: int
) -> None:
    schedule = Schedule(lengths, batch_rows, 3.0, seed)
    for epoch in range(3):
        first = epoch * schedule.steps_per_epoch
        batches = [schedule.rows_at(step) for step in range(first, first + schedule.steps_per_epoch)]
        assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
        sizes = {len(batch) for batch in batches}
        assert max(sizes) <= batch_rows
        assert max(sizes) - min(sizes) <= 1
    assert schedule.steps == 3 * schedule.steps_per_epoch
    again = Schedule(lengths, batch_rows, 3.0, seed)
    assert [again.rows_at(step) for step in range(again.steps)] == [
        schedule.rows_at(step) for step in range(schedule.steps)
    ]


def test_epochs_differ_and_padding_is_small() -> None:
    lengths = tuple(20 + (index * 37) % 200 for index in range(256))
    schedule = Schedule(lengths, 8, 2.5, 0)
    assert schedule.steps == 80
    assert schedule.epoch_at(80) == 2.5
    epochs = [[schedule.rows_at(step) for step in range(start, start + 32)] for start in (0, 32)]
    assert epochs[0] != epochs[1]
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in epochs[0])
    assert padded < 1.15 * sum(lengths)


def test_rows_that_cannot_be_trained_on_are_named(make_row: MakeRow) -> None:
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


def test_no_training_batch_holds_any_message_of_the_prompt(local: LocalModel, make_row: MakeRow) -> None:
    """The search itself is proved by a row that does hold one."""
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
def test_the_search_finds_exactly_the_runs_of_ids(text: list[int], message: list[int]) -> None:
    there = [(1, start) for start in range(len(text)) if text[start : start + len(message)] == message]
    assert list(occurrences(text, [[], message])) == there


def test_a_repeated_message_refuses_the_dataset_but_what_rules_dictate_does_not(
    make_row: MakeRow, local: LocalModel
) -> None:
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
