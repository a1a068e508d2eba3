"""Examples: one completion per key, its cost recorded with it, and fast windows over many."""

from collections.abc import Iterator

import pytest

from engine.errors import NotFoundError
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision, Example, ExampleCounts, ExampleKey, ExampleState, Usage
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import CheckResult, Span
from engine.records.selection import Selection
from engine.store.examples import window_query
from engine.store.values import Values
from tests.engine.store.sample_records import PROMPT, example


@pytest.mark.usefixtures("twelve_questions")
def test_every_field_is_stored(project: Project) -> None:
    whole = Example(
        key=ExampleKey(PROMPT.sha256, 3, "gpt @ https://x", 2),
        answer="text \x1b[2J",
        finish_reason="length",
        teacher_kind="endpoint",
        token_ids=None,
        usage=Usage(1, 2, 3, 4, 0.5, counted_here=True),
        temperature=0.7,
        seconds=1.25,
        checks=(CheckResult(1, False, "too long", (Span(0, 2),), (Span(1, 3),)),),
        created_at="2026-01-01T00:00:00.000+00:00",
    )
    project.examples.add([whole])
    stored = project.examples.get(1)
    assert stored.example == Example(**{name: getattr(whole, name) for name in whole.__slots__} | {"id": 1})
    assert stored.decision is None
    assert not stored.accepted


@pytest.mark.usefixtures("twelve_questions")
def test_each_key_is_stored_and_charged_once(project: Project) -> None:
    assert project.examples.add([example(1, "first"), example(1, "second"), example(1, "other", attempt=1)]) == 2
    assert project.examples.add([example(1, "third")]) == 0
    stored = project.examples.all()
    assert [curated.example.answer for curated in stored] == ["first", "other"]
    assert [curated.example.key for curated in stored] == [example(1, "", 0).key, example(1, "", 1).key]
    assert project.spending.usd() == pytest.approx(0.2)


@pytest.mark.usefixtures("twelve_questions")
def test_answer_to_a_removed_question_is_charged_but_not_stored(project: Project) -> None:
    batch = [example(1, "fine"), example(2, "nowhere")]
    project.examples.record_in_flight([each.key for each in batch])
    project.questions.remove([2])
    assert project.examples.add(batch) == 1
    assert [row.example.answer for row in project.examples.window(0, 9, Selection(search="fine"))] == ["fine"]
    assert project.examples.counts().total == 1
    assert project.examples.in_flight() == 0
    assert project.spending.usd() == pytest.approx(0.2), "both were paid for"
    project.examples.add([example(3, "gone with its question", attempt=7)])
    project.questions.remove([1, 3])
    assert project.examples.add([example(1, "late", attempt=1), example(3, "late", attempt=8)]) == 0
    assert project.spending.usd() == pytest.approx(0.5)


@pytest.mark.usefixtures("twelve_examples")
def test_removing_questions_keeps_the_recorded_spending(project: Project) -> None:
    project.questions.remove([1, 2])
    assert project.spending.usd() == pytest.approx(1.2)


@pytest.mark.usefixtures("twelve_questions")
def test_requests_in_flight_survive_a_restart_until_answered_or_cleared(project: Project) -> None:
    keys = [example(number, "").key for number in (1, 2, 3)]
    project.examples.record_in_flight(keys)
    project.examples.record_in_flight(keys[:1])
    with Project.open(project.folder) as reopened:
        assert reopened.examples.in_flight() == 3
        reopened.examples.add([example(1, "landed")])
        reopened.examples.clear_in_flight(keys[1:2])
    assert project.examples.in_flight() == 1


@pytest.mark.usefixtures("twelve_examples")
def test_new_checks_replace_earlier_ones(project: Project) -> None:
    project.examples.set_checks({1: [CheckResult(1, True)]})
    project.examples.set_checks({1: [CheckResult(2, False, "why")]})
    assert project.examples.get(1).example.checks == (CheckResult(2, False, "why"),)
    with pytest.raises(NotFoundError):
        project.examples.set_checks({2: [CheckResult(1, True)], 99: []})
    assert project.examples.get(2).example.checks == ()


@pytest.mark.usefixtures("twelve_examples")
def test_window_filters_by_state_prompt_and_search(project: Project) -> None:
    project.decisions.decide([Decision(number, "accept", "rules") for number in (2, 4, 6)])
    project.decisions.decide([Decision(5, "reject", "person", reason="rude")])
    project.decisions.decide([Decision(7, "edit", "person", edited_answer="Seven, says Zebedee.")])

    def ids(
        state: ExampleState | None = None, search: str = "", prompt: str | None = None, offset: int = 0
    ) -> list[int]:
        selection = Selection(prompt, state, search=search)
        return [c.example.id for c in project.examples.window(offset, 3, selection)]

    assert ids(offset=10) == [11, 12]
    assert ids("accepted") == [2, 4, 6]
    assert ids("accepted", offset=3) == [7]
    assert ids("rejected") == [5]
    assert ids(search="zebed") == [7]
    assert ids(search="what number 4") == [5]  # also searches the question: question 5 asks for number 4
    assert ids("undecided", prompt=PROMPT.sha256) == [1, 3, 8]
    assert ids(prompt="another") == []
    assert project.examples.counts() == ExampleCounts(total=12, accepted=4, rejected=1, undecided=7)
    assert project.examples.counts("another").total == 0
    assert project.examples.get(7).answer == "Seven, says Zebedee."
    decided = project.examples.get(5).decision
    assert decided is not None
    assert (decided.example_id, decided.verdict) == (5, "reject")


@pytest.mark.usefixtures("twelve_examples")
def test_position_of_an_example_is_its_offset_in_the_window(project: Project) -> None:
    for state in (None, "undecided"):
        selection = Selection(PROMPT.sha256, state)
        shown = project.examples.window(0, 100, selection)
        assert project.examples.count(selection) == len(shown)
        positions = [project.examples.position(row.example.id, selection) for row in shown]
        assert positions == list(range(len(shown)))


@pytest.mark.usefixtures("twelve_examples")
def test_next_undecided_example_wraps_around_in_both_directions(project: Project) -> None:
    undecided = Selection(PROMPT.sha256, "undecided")
    ids = [row.example.id for row in project.examples.window(0, 100, undecided)]
    assert project.examples.next_after(0, undecided) == ids[0]
    assert project.examples.next_after(ids[3], undecided) == ids[4]
    assert project.examples.next_after(ids[-1], undecided) == ids[0]
    assert project.examples.next_after(ids[4], undecided, backwards=True) == ids[3]
    assert project.examples.next_after(ids[0], undecided, backwards=True) == ids[-1]
    assert project.examples.newest_id() == 12
    project.decisions.decide([Decision(example_id, "accept", "person") for example_id in ids])
    assert project.examples.next_after(0, undecided) is None


@pytest.mark.usefixtures("twelve_examples")
def test_hash_of_the_accepted_answers_follows_decisions_and_undo(project: Project) -> None:
    def accepted_hash() -> str:
        return project.examples.accepted_sha256(PROMPT.sha256)

    hashes = [accepted_hash()]
    for decision in (
        Decision(1, "accept", "person"),
        Decision(1, "edit", "person", edited_answer="Better."),
        Decision(1, "edit", "person", edited_answer="Best."),
        Decision(2, "accept", "rules"),
    ):
        project.decisions.decide([decision])
        hashes.append(accepted_hash())
    assert len(set(hashes)) == len(hashes)
    for earlier in reversed(hashes[:-1]):
        project.decisions.undo()
        assert accepted_hash() == earlier
    project.decisions.decide([Decision(3, "reject", "person")])
    assert accepted_hash() == hashes[0]


def _plan(project: Project, sql: str, values: Values) -> str:
    return "\n".join(str(row["detail"]) for row in project._connection.rows(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize("state", [None, "accepted"])
@pytest.mark.parametrize("prompt", [None, PROMPT.sha256])
def test_window_over_many_examples_sorts_nothing(many: Project, state: ExampleState | None, prompt: str | None) -> None:
    selection = Selection(prompt, state)
    sql, values = window_query(selection)
    plan = _plan(many, sql, (*values, 50, 40_000))
    assert "TEMP B-TREE" not in plan
    assert "SEARCH e USING INTEGER PRIMARY KEY" in plan
    assert "SEARCH d USING INTEGER PRIMARY KEY" in plan
    assert ("SEARCH e USING COVERING INDEX" in plan) == (state is not None or prompt is not None)
    shown = many.examples.window(40_000, 50, selection)
    assert [curated.example.id for curated in shown] == list(range(40_001, 40_051))


def test_counts_of_many_examples_read_only_an_index(many: Project) -> None:
    plan = _plan(many, "SELECT state, count(*) FROM examples GROUP BY state", ())
    assert "COVERING INDEX" in plan
    assert "TEMP B-TREE" not in plan
    assert many.questions.newer_than_examples(PROMPT.sha256) == 0
    assert many.examples.counts(PROMPT.sha256) == many.examples.counts() == ExampleCounts(100_000, 100_000, 0, 0)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A hundred thousand accepted examples, copied in SQL from one that was added normally."""
    home = Home.locate(tmp_path_factory.mktemp("many"))
    with Project.create(home.projects / "many", home=home) as project:
        project.questions.add([Question((Message("user", "Why?"),))])
        project.examples.add([example(1, "Because.")])
        project.decisions.decide([Decision(1, "accept", "rules")])
        names = [str(row["name"]) for row in project._connection.rows("PRAGMA table_info(examples)")]
        copied = ", ".join("attempt + n" if name == "attempt" else name for name in names[1:])
        project._connection.write(
            f"""WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 99999)
            INSERT INTO examples ({", ".join(names[1:])}) SELECT {copied} FROM examples, numbers"""
        )
        yield project
