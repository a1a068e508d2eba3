"""The report as text: its width, its figures, and that foreign text in it obeys nobody."""

import dataclasses

import pytest

from engine.evaluation.table import cell_width, render
from engine.records.evaluation import Interval
from tests.engine.evaluation.made import evaluation

FACTS = (("student", "starter, LoRA rank 16, mix"), ("time", "questions 1 s, " * 12))


@pytest.mark.parametrize("teacher", [False, True])
@pytest.mark.parametrize("width", [72, 80, 120])
def test_no_line_is_wider_than_asked_for(width: int, teacher: bool) -> None:
    text = render(evaluation(teacher=teacher), "Project «triage», run 1", FACTS, width)
    assert max(cell_width(line) for line in text.splitlines()) <= width


def test_rates_with_intervals_recovered_and_verdict_are_there() -> None:
    text = render(evaluation(), "title", FACTS)
    rows = {line[:38].strip(): line[38:].split() for line in text.splitlines()}
    assert rows["every rule"] == ["0", "(0–9)", "90", "(77–96)", "87.5", "(74–95)"]
    assert rows["recovered, %"] == ["–", "reference", "97.3", "(91–104)"]
    assert rows["KL to prompted, nats/token"] == ["1.910", "–", "0.095"]
    assert rows["first token, ms"] == ["61", "1234", "61"]
    assert "Passed:" in text


def test_columns_stand_under_each_other_whatever_the_script() -> None:
    made = evaluation()
    wide = tuple(
        (
            name,
            dataclasses.replace(score, rules=tuple(dataclasses.replace(r, text="規則を守る" * 9) for r in score.rules)),
        )
        for name, score in made.arms
    )
    lines = render(dataclasses.replace(made, arms=wide), "title", ()).splitlines()
    assert len({cell_width(line) for line in lines if line.endswith(")") and "(" in line[-9:]}) == 1


def test_an_undefined_fraction_says_why() -> None:
    text = render(evaluation(None), "title", ())
    assert "Undecided" in text
    assert "covers 0" in text


def test_a_failed_verdict_is_said_in_words() -> None:
    assert "Failed:" in render(evaluation(Interval(0.5, 0.4, 0.6)), "title", ())


def test_hostile_rule_texts_and_names_are_shown_clean() -> None:
    hostile = "\x1b]52;c;AAAA\x07 \u202e"
    made = evaluation()
    arms = tuple(
        (name, dataclasses.replace(score, rules=tuple(dataclasses.replace(r, text=hostile) for r in score.rules)))
        for name, score in made.arms
    )
    text = render(dataclasses.replace(made, arms=arms), hostile, (("base", hostile),))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
