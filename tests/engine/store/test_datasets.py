"""Datasets: packed, identified by the hash of their content, and verified when read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DatasetError, NotFoundError
from engine.project import Project
from engine.records.dataset import Dataset, DatasetPrompt, OtherPrompt
from engine.records.example import Decision
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.store.datasets import dataset_sha256
from engine.store.packing import pack_flags, pack_ids, unpack_flags, unpack_ids
from tests.engine.store.sample_records import PROMPT, ROWS, dataset


@given(st.lists(st.integers(0, 2**31 - 1)), st.lists(st.booleans()))
def test_packing_is_lossless(ids: list[int], flags: list[bool]) -> None:
    assert unpack_ids(pack_ids(ids)) == tuple(ids)
    assert unpack_flags(pack_flags(flags)) == tuple(flags)


def test_stored_dataset_reads_back_unchanged(project: Project) -> None:
    project.datasets.add(dataset())
    found = project.datasets.get(dataset().sha256)
    assert replace(found, created_at="") == dataset()
    assert found.created_at
    summary = project.datasets.latest()
    assert summary is not None
    assert (summary.sha256, summary.train, summary.validation) == (found.sha256, 2, 1)


def test_hash_covers_every_field_of_a_row() -> None:
    first = ROWS[0]
    changed = [
        replace(first, example_id=9),
        replace(first, question_id=9),
        replace(first, split="validation"),
        replace(first, question_ids=(1, 2)),
        replace(first, question_ids=(1, 2), completion_ids=(49_151, 7, 0)),
        replace(first, completion_ids=(7, 1)),
        replace(first, edited_from=1),
        replace(first, fixed=(True, True)),
    ]
    assert len({dataset((row, *ROWS[1:])).sha256 for row in (first, *changed)}) == len(changed) + 1


def test_hash_of_a_dataset_with_one_prompt_is_stable() -> None:
    assert dataset().sha256 == "5c071e572eab27e8e82c20a62d1cd41eea1b87213620bd7cc57ab2c176e81bb8"


def test_prompts_of_other_projects_are_stored_and_hashed(project: Project) -> None:
    router = Prompt((Message("system", "Say where it belongs."),))
    questions = (Question((Message("user", "My card is gone."),), split="train", id=1),)
    rule = Rule(1, "One word.", Check("length", unit="words", max=1))
    other = DatasetPrompt(router, questions, (rule,), "router", "a" * 64)
    rows = (*ROWS, replace(ROWS[0], prompt_index=1), replace(ROWS[1], prompt_index=1))
    changed = replace(other, questions=(replace(questions[0], messages=(Message("user", "My card is lost."),)),))
    hashes = [
        dataset_sha256(PROMPT.sha256, "starter", some, others)
        for some, others in (
            (rows, (other,)),
            (rows, ()),
            (rows, (changed,)),
            (rows, (replace(other, prompt=PROMPT),)),
            ((*ROWS, ROWS[0], ROWS[1]), (other,)),
        )
    ]
    assert len(set(hashes)) == len(hashes)
    combined = Dataset(hashes[0], PROMPT.sha256, "starter", rows, others=(other,))
    project.datasets.add(dataset())
    project.datasets.add(combined)
    assert replace(project.datasets.get(combined.sha256), created_at="") == combined
    alone, both = project.datasets.all()
    assert (alone.prompts, alone.others) == (1, ())
    assert (both.train, both.validation, both.prompts) == (3, 2, 2)
    assert both.others == (OtherPrompt("router", router.sha256, 1, 1),)
    project._connection.write("UPDATE dataset_prompts SET taught = replace(taught, 'gone', 'stolen')")
    with pytest.raises(DatasetError, match="does not match its hash"):
        project.datasets.get(combined.sha256)


def test_dataset_added_again_is_stored_once_and_becomes_the_latest(project: Project) -> None:
    shorter = dataset(ROWS[:1])
    project.datasets.add(dataset())
    project.datasets.add(shorter)
    project.datasets.add(dataset())
    assert [summary.sha256 for summary in project.datasets.all()] == [shorter.sha256, dataset().sha256]


def test_dataset_with_a_wrong_hash_is_refused(project: Project) -> None:
    with pytest.raises(DatasetError):
        project.datasets.add(replace(dataset(), base="another"))
    assert project.datasets.latest() is None


def test_changed_rows_are_detected_when_read(project: Project) -> None:
    project.datasets.add(dataset())
    project._connection.write("UPDATE dataset_rows SET edited_from = 0 WHERE position = 0")
    with pytest.raises(DatasetError, match="does not match its hash"):
        project.datasets.get(dataset().sha256)
    with pytest.raises(NotFoundError):
        project.datasets.get("abc")


@pytest.mark.usefixtures("twelve_examples")
def test_dataset_records_the_accepted_answers_it_was_frozen_from(project: Project) -> None:
    project.decisions.decide([Decision(1, "accept", "person")])
    before = project.examples.accepted_sha256(PROMPT.sha256)
    project.decisions.decide([Decision(2, "accept", "person")])
    project.datasets.add(dataset(), accepted_sha256=before)
    assert project.datasets.frozen_from(dataset().sha256) == before
    project.datasets.add(dataset())
    assert project.datasets.frozen_from(dataset().sha256) == project.examples.accepted_sha256(PROMPT.sha256) != before
