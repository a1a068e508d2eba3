"""The empty run, evaluation and release panes name the first step that is still to do."""

from dataclasses import replace

import pytest

from engine.records.dataset import DatasetSummary
from engine.records.example import ExampleCounts
from engine.records.options import ProjectSettings
from engine.records.prompt import Message, Prompt
from tui.panes.parts import TO_FREEZE, TO_TRAIN, first_steps
from tui.services.facts import Facts

_EMPTY = Facts("p", "/p", ProjectSettings(), ())
_PROMPT = replace(_EMPTY, prompt=Prompt((Message("system", "Be brief."),)))
_QUESTIONS = replace(_PROMPT, topics=(("cards", 9),))
_ANSWERED = replace(_QUESTIONS, examples=ExampleCounts(9, 0, 0, 9))
_ACCEPTED = replace(_QUESTIONS, examples=ExampleCounts(9, 1, 0, 8))
_FROZEN = replace(_QUESTIONS, dataset=DatasetSummary("d", "p", "starter", 26, 6, ""))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (_EMPTY, "set a prompt first"),
        (_PROMPT, "add questions first"),
        (_QUESTIONS, "generate answers first"),
        (_ANSWERED, "review the answers first"),
        (_ACCEPTED, "freeze a dataset first"),
        (_FROZEN, "train a run first, then"),  # whatever became of its answers since
    ],
)
def test_first_step_still_to_do_is_named(facts: Facts, words: str) -> None:
    steps = first_steps(facts, TO_TRAIN, ("release.export", "then", ""))
    assert ", ".join(text for _, text, _ in steps) == words


def test_steps_end_at_the_last_one_that_is_needed() -> None:
    then = ("run.train", "then train on it", "")
    assert first_steps(_ACCEPTED, TO_FREEZE, then) == first_steps(_FROZEN, TO_FREEZE, then) == (TO_FREEZE, then)
