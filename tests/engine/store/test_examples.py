"""Examples: one completion a key, money booked with it, and fast looks at many."""

from collections.abc import Iterator

import pytest

from engine.errors import NotFoundError
from engine.paths import Home
from engine.project import Project
from engine.records.example import Decision, Example, ExampleKey, ExampleState, Usage
from engine.records.prompt import Message
from engine.records.question import Question
from engine.records.rule import CheckResult, Span
from engine.records.selection import Selection
from engine.store.examples import ExampleCounts, window_query
from tests.engine.store.facts import PROMPT, example


def test_all_fields_come_back(asked: Project) -> None:
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
    asked.examples.add([whole])
    stored = asked.examples.get(1)
    assert stored.example == Example(**{name: getattr(whole, name) for name in whole.__slots__} | {"id": 1})
    assert stored.decision is None
    assert not stored.accepted


def test_a_key_is_stored_and_paid_once(asked: Project) -> None:
    assert asked.examples.add([example(1, "first"), example(1, "second"), example(1, "other", attempt=1)]) == 2
    assert asked.examples.add([example(1, "third")]) == 0
    stored = asked.examples.all()
    assert [curated.example.answer for curated in stored] == ["first", "other"]
    assert [curated.example.key for curated in stored] == [example(1, "", 0).key, example(1, "", 1).key]
    assert asked.spending.usd() == pytest.approx(0.2)


def test_of_a_batch_only_the_answer_to_a_removed_question_is_left_out(asked: Project) -> None:
    batch = [example(1, "fine"), example(2, "nowhere")]
    asked.examples.record_in_flight([each.key for each in batch])
    asked.questions.remove([2])
    assert asked.examples.add(batch) == 1
    assert [row.example.answer for row in asked.examples.window(0, 9, Selection(search="fine"))] == ["fine"]
    assert asked.examples.counts().total == 1
    assert asked.examples.in_flight() == 0
    assert asked.spending.usd() == pytest.approx(0.2), "both were paid for"
    asked.examples.add([example(3, "gone with its question", attempt=7)])
    asked.questions.remove([1, 3])
    assert asked.examples.add([example(1, "late", attempt=1), example(3, "late", attempt=8)]) == 0
    assert asked.spending.usd() == pytest.approx(0.5)


def test_money_stays_spent_when_questions_go(answered: Project) -> None:
    answered.questions.remove([1, 2])
    assert answered.spending.usd() == pytest.approx(1.2)


def test_what_is_in_flight_survives_a_restart_and_lands_with_its_example(asked: Project) -> None:
    keys = [example(number, "").key for number in (1, 2, 3)]
    asked.examples.record_in_flight(keys)
    asked.examples.record_in_flight(keys[:1])
    with Project.open(asked.folder) as again:
        assert again.examples.in_flight() == 3
        again.examples.add([example(1, "landed")])
        again.examples.clear_in_flight(keys[1:2])
    assert asked.examples.in_flight() == 1


def test_checks_are_replaced(answered: Project) -> None:
    answered.examples.set_checks({1: [CheckResult(1, True)]})
    answered.examples.set_checks({1: [CheckResult(2, False, "why")]})
    assert answered.examples.get(1).example.checks == (CheckResult(2, False, "why"),)
    with pytest.raises(NotFoundError):
        answered.examples.set_checks({2: [CheckResult(1, True)], 99: []})
    assert answered.examples.get(2).example.checks == ()


def test_windows_by_state_prompt_and_words(answered: Project) -> None:
    answered.decisions.decide([Decision(number, "accept", "rules") for number in (2, 4, 6)])
    answered.decisions.decide([Decision(5, "reject", "person", reason="rude")])
    answered.decisions.decide([Decision(7, "edit", "person", edited_answer="Seven, says Zebedee.")])

    def ids(
        state: ExampleState | None = None, search: str = "", prompt: str | None = None, offset: int = 0
    ) -> list[int]:
        selection = Selection(prompt, state, search=search)
        return [c.example.id for c in answered.examples.window(offset, 3, selection)]

    assert ids(offset=10) == [11, 12]
    assert ids("accepted") == [2, 4, 6]
    assert ids("accepted", offset=3) == [7]
    assert ids("rejected") == [5]
    assert ids(search="zebed") == [7]
    assert ids(search="what number 4") == [5]  # the question's words: question 5 asks for number 4
    assert ids("undecided", prompt=PROMPT.sha256) == [1, 3, 8]
    assert ids(prompt="another") == []
    assert answered.examples.counts() == ExampleCounts(total=12, accepted=4, rejected=1, undecided=7)
    assert answered.examples.counts("another").total == 0
    assert answered.examples.get(7).answer == "Seven, says Zebedee."
    decided = answered.examples.get(5).decision
    assert decided is not None
    assert (decided.example_id, decided.verdict) == (5, "reject")


def test_the_place_of_an_example_in_a_list_is_its_offset(answered: Project) -> None:
    for state in (None, "undecided"):
        listed = Selection(PROMPT.sha256, state)
        shown = answered.examples.window(0, 100, listed)
        assert answered.examples.count(listed) == len(shown)
        places = [answered.examples.position(row.example.id, listed) for row in shown]
        assert places == list(range(len(shown)))


def test_the_next_undecided_comes_round_from_the_end(answered: Project) -> None:
    undecided = Selection(PROMPT.sha256, "undecided")
    ids = [row.example.id for row in answered.examples.window(0, 100, undecided)]
    assert answered.examples.next_after(0, undecided) == ids[0]
    assert answered.examples.next_after(ids[3], undecided) == ids[4]
    assert answered.examples.next_after(ids[-1], undecided) == ids[0]
    assert answered.examples.next_after(ids[4], undecided, backwards=True) == ids[3]
    assert answered.examples.next_after(ids[0], undecided, backwards=True) == ids[-1]
    assert answered.examples.newest_id() == 12
    answered.decisions.decide([Decision(example_id, "accept", "person") for example_id in ids])
    assert answered.examples.next_after(0, undecided) is None


def test_the_accepted_set_has_a_hash_that_follows_undo(answered: Project) -> None:
    def now() -> str:
        return answered.examples.accepted_sha256(PROMPT.sha256)

    seen = [now()]
    for decision in (
        Decision(1, "accept", "person"),
        Decision(1, "edit", "person", edited_answer="Better."),
        Decision(1, "edit", "person", edited_answer="Best."),
        Decision(2, "accept", "rules"),
    ):
        answered.decisions.decide([decision])
        seen.append(now())
    assert len(set(seen)) == len(seen)
    for earlier in reversed(seen[:-1]):
        answered.decisions.undo()
        assert now() == earlier
    answered.decisions.decide([Decision(3, "reject", "person")])
    assert now() == seen[0]


def _plan(project: Project, sql: str, values: tuple[str | int, ...]) -> str:
    return "\n".join(str(row["detail"]) for row in project._connection.rows(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize("state", [None, "accepted"])
@pytest.mark.parametrize("prompt", [None, PROMPT.sha256])
def test_a_window_on_many_examples_sorts_nothing(many: Project, state: ExampleState | None, prompt: str | None) -> None:
    selection = Selection(prompt, state)
    sql, values = window_query(selection)
    plan = _plan(many, sql, (*values, 50, 40_000))
    assert "TEMP B-TREE" not in plan
    assert "SEARCH e USING INTEGER PRIMARY KEY" in plan
    assert "SEARCH d USING INTEGER PRIMARY KEY" in plan
    assert ("SEARCH e USING COVERING INDEX" in plan) == (state is not None or prompt is not None)
    shown = many.examples.window(40_000, 50, selection)
    assert [curated.example.id for curated in shown] == list(range(40_001, 40_051))


def test_counts_on_many_examples_read_an_index_alone(many: Project) -> None:
    plan = _plan(many, "SELECT state, count(*) FROM examples GROUP BY state", ())
    assert "COVERING INDEX" in plan
    assert "TEMP B-TREE" not in plan
    assert many.questions.newer_than_examples(PROMPT.sha256) == 0
    assert many.examples.counts(PROMPT.sha256) == many.examples.counts() == ExampleCounts(100_000, 100_000, 0, 0)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A hundred thousand accepted examples, multiplied from one that came in by the door."""
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
