"""Decisions with undo and redo, compared with a model in plain Python."""

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


@pytest.mark.usefixtures("twelve_examples")
def test_decision_journal_matches_a_reference_model(project: Project) -> None:
    class Journal(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            while project.decisions.undo() is not None:
                pass
            project.questions.remove([])
            self.applied: list[list[Decision]] = []
            # Unknown until the first decision: redo may still hold steps of an earlier machine.
            self.undone: list[list[Decision]] | None = None

        @rule(step=st.lists(_DECISIONS, min_size=1, max_size=4))
        def decide(self, step: list[Decision]) -> None:
            assert project.decisions.decide(step) > 0
            self.applied.append(step)
            self.undone = []

        @rule()
        def undo(self) -> None:
            if self.undone is None:
                return
            found = project.decisions.undo()
            if self.applied:
                self.undone.append(self.applied.pop())
                assert _size(found) == len(self.undone[-1])
            else:
                assert found is None

        @rule()
        def redo(self) -> None:
            if self.undone is None:
                return
            found = project.decisions.redo()
            if self.undone:
                self.applied.append(self.undone.pop())
                assert _size(found) == len(self.applied[-1])
            else:
                assert found is None

        @invariant()
        def current_decisions_match_the_model(self) -> None:
            decisions = [decision for step in self.applied for decision in step]
            flags = {decision.example_id: decision.verdict for decision in decisions if "flag" in decision.verdict}
            current = {decision.example_id: decision for decision in decisions if "flag" not in decision.verdict}
            flagged = {number for number, verdict in flags.items() if verdict == "flag"}
            shown = project.examples.window(0, -1, Selection(flagged=True))
            assert {row.example.id for row in shown if row.flag} == flagged
            assert project.examples.counts().flagged == len(flagged)
            for number in range(1, 5):
                curated, expected = project.examples.get(number), current.get(number)
                found = curated.decision
                assert (found is None) == (expected is None)
                if found is not None and expected is not None:
                    kept = found.verdict, found.source, found.edited_answer
                    assert kept == (expected.verdict, expected.source, expected.edited_answer)
            counts = project.examples.counts()
            assert counts.accepted == sum(decision.verdict != "reject" for decision in current.values())
            assert counts.rejected == sum(decision.verdict == "reject" for decision in current.values())
            assert counts.total == 12

        @invariant()
        def search_index_is_intact(self) -> None:
            project._connection.write("INSERT INTO examples_fts (examples_fts, rank) VALUES ('integrity-check', 1)")

    run_state_machine_as_test(Journal, settings=settings(max_examples=15, stateful_step_count=15, deadline=None))


@pytest.mark.usefixtures("twelve_examples")
def test_undo_survives_a_restart_and_a_new_decision_clears_redo(project: Project) -> None:
    project.decisions.decide([Decision(1, "accept", "person"), Decision(2, "accept", "person")])
    project.decisions.decide([Decision(3, "reject", "person")])
    assert _size(project.decisions.undo()) == 1
    project.close()
    with Project.open(project.folder) as reopened:
        assert _size(reopened.decisions.undo()) == 2
        assert _size(reopened.decisions.redo()) == 2
        reopened.decisions.decide([Decision(4, "accept", "person")])
        assert reopened.decisions.redo() is None
        decisions = [each.decision for each in reopened.examples.all() if each.decision is not None]
        assert [(decision.example_id, decision.step) for decision in decisions] == [(1, 1), (2, 1), (4, 3)]


@pytest.mark.usefixtures("twelve_examples")
def test_step_with_an_unknown_example_is_refused_whole(project: Project) -> None:
    with pytest.raises(NotFoundError, match="There is no example 99"):
        project.decisions.decide([Decision(1, "accept", "person"), Decision(99, "accept", "person")])
    assert project.decisions.decide([]) == 0
    assert project.examples.get(1).decision is None
    assert project.decisions.undo() is None


@pytest.mark.usefixtures("twelve_examples")
def test_undo_skips_steps_whose_examples_were_removed(project: Project) -> None:
    project.decisions.decide([Decision(1, "accept", "person")])
    project.decisions.decide([Decision(2, "accept", "person")])
    project.questions.remove([2])
    assert _size(project.decisions.undo()) == 1
    assert project.examples.counts().accepted == 0
