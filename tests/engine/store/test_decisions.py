"""Decisions against a model in plain Python: whatever is decided, undone and redone, the two agree."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from engine.errors import NotFoundError
from engine.project import Project
from engine.records.example import Decision
from engine.records.selection import Selection
from engine.store.decisions import MovedStep

_IDS = st.integers(1, 4)
_DECISIONS = st.builds(
    Decision,
    example_id=_IDS,
    verdict=st.sampled_from(["accept", "reject", "flag", "unflag"]),
    source=st.sampled_from(["person", "rules"]),
) | st.builds(Decision, example_id=_IDS, verdict=st.just("edit"), source=st.just("person"), edited_answer=st.text())


def _size(moved: MovedStep | None) -> int:
    return moved.decisions if moved is not None else 0


def test_the_journal_agrees_with_a_model(answered: Project) -> None:
    class Journal(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            while answered.decisions.undo() is not None:
                pass
            answered.questions.remove([])
            self.applied: list[list[Decision]] = []
            self.undone: list[list[Decision]] | None = None  # unknown until the first decision: others' redo is left

        @rule(step=st.lists(_DECISIONS, min_size=1, max_size=4))
        def decide(self, step: list[Decision]) -> None:
            assert answered.decisions.decide(step) > 0
            self.applied.append(step)
            self.undone = []

        @rule()
        def undo(self) -> None:
            if self.undone is None:
                return
            found = answered.decisions.undo()
            if self.applied:
                self.undone.append(self.applied.pop())
                assert _size(found) == len(self.undone[-1])
            else:
                assert found is None

        @rule()
        def redo(self) -> None:
            if self.undone is None:
                return
            found = answered.decisions.redo()
            if self.undone:
                self.applied.append(self.undone.pop())
                assert _size(found) == len(self.applied[-1])
            else:
                assert found is None

        @invariant()
        def the_decisions_that_stand_are_the_models(self) -> None:
            entered = [decision for step in self.applied for decision in step]
            flags = {decision.example_id: decision.verdict for decision in entered if "flag" in decision.verdict}
            stands = {decision.example_id: decision for decision in entered if "flag" not in decision.verdict}
            flagged = {number for number, verdict in flags.items() if verdict == "flag"}
            shown = answered.examples.window(0, -1, Selection(flagged=True))
            assert {row.example.id for row in shown if row.flag} == flagged
            assert answered.examples.counts().flagged == len(flagged)
            for number in range(1, 5):
                curated, expected = answered.examples.get(number), stands.get(number)
                found = curated.decision
                assert (found is None) == (expected is None)
                if found is not None and expected is not None:
                    kept = found.verdict, found.source, found.edited_answer
                    assert kept == (expected.verdict, expected.source, expected.edited_answer)
            counts = answered.examples.counts()
            assert counts.accepted == sum(decision.verdict != "reject" for decision in stands.values())
            assert counts.rejected == sum(decision.verdict == "reject" for decision in stands.values())
            assert counts.total == 12

        @invariant()
        def the_search_index_is_whole(self) -> None:
            answered._connection.write("INSERT INTO examples_fts (examples_fts, rank) VALUES ('integrity-check', 1)")

    run_state_machine_as_test(Journal, settings=settings(max_examples=15, stateful_step_count=15, deadline=None))


def test_undo_survives_a_restart_and_a_new_decision_ends_redo(answered: Project) -> None:
    answered.decisions.decide([Decision(1, "accept", "person"), Decision(2, "accept", "person")])
    answered.decisions.decide([Decision(3, "reject", "person")])
    assert _size(answered.decisions.undo()) == 1
    answered.close()
    with Project.open(answered.folder) as again:
        assert _size(again.decisions.undo()) == 2
        assert _size(again.decisions.redo()) == 2
        again.decisions.decide([Decision(4, "accept", "person")])
        assert again.decisions.redo() is None
        standing = [each.decision for each in again.examples.all() if each.decision is not None]
        assert [(decision.example_id, decision.step) for decision in standing] == [(1, 1), (2, 1), (4, 3)]


def test_an_unknown_example_leaves_no_trace(answered: Project) -> None:
    with pytest.raises(NotFoundError, match="number 99"):
        answered.decisions.decide([Decision(1, "accept", "person"), Decision(99, "accept", "person")])
    assert answered.decisions.decide([]) == 0
    assert answered.examples.get(1).decision is None
    assert answered.decisions.undo() is None


def test_steps_whose_examples_were_removed_are_passed_over(answered: Project) -> None:
    answered.decisions.decide([Decision(1, "accept", "person")])
    answered.decisions.decide([Decision(2, "accept", "person")])
    answered.questions.remove([2])
    assert _size(answered.decisions.undo()) == 1
    assert answered.examples.counts().accepted == 0
