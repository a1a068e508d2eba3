"""Questions: unique by what they say, searchable, and really gone when removed."""

import pytest

from engine.errors import NotFoundError
from engine.project import Project
from engine.records.evaluation import ArmAnswer
from engine.records.example import Decision
from engine.records.prompt import Message
from engine.records.question import Question, QuestionFilter, Split
from engine.records.run import TrainingConfig
from engine.records.selection import Selection
from engine.store.questions import AddedQuestions, normal_sha256
from tests.engine.store.facts import PROMPT, dataset, example


def _question(text: str, topic: str = "", split: Split | None = None) -> Question:
    return Question((Message("user", text),), topic=topic, split=split)


def test_the_same_words_are_stored_once(project: Project) -> None:
    added = project.questions.add(
        [_question("Where is my card?"), _question("  where IS my\ncard? "), _question("Ｗhere is my card?")]
    )
    assert added == AddedQuestions(added=1, duplicates=2)
    assert project.questions.add([_question("where is my card?")]) == AddedQuestions(added=0, duplicates=1)
    assert project.questions.get(1).text == "Where is my card?"


def test_other_roles_or_turns_make_another_question() -> None:
    turn = Message("user", "a"), Message("assistant", "b"), Message("user", "c")
    lists = [
        turn,
        turn[:1],
        turn[2:],
        (Message("user", "a b c"),),
        (Message("user", "a"), Message("user", "b"), turn[2]),
    ]
    assert len({normal_sha256(messages) for messages in lists}) == len(lists)


def test_all_fields_come_back(project: Project) -> None:
    whole = Question(
        (Message("user", "a"), Message("assistant", "b"), Message("user", "c")),
        topic="t",
        source="file.jsonl",
        label="gold",
        split="test",
        id=99,
    )
    project.questions.add([whole])
    (stored,) = project.questions.all()
    assert stored == Question(whole.messages, "t", "file.jsonl", "gold", "test", id=1)


def test_splits_and_topics_are_counted(asked: Project) -> None:
    asked.questions.set_splits({1: "train", 2: "train", 3: "test"})
    assert asked.questions.split_counts() == {"train": 2, "test": 1, None: 9}
    assert (asked.questions.count(), asked.questions.count("train")) == (12, 2)
    assert asked.questions.topics() == (("topic 0", 4), ("topic 1", 4), ("topic 2", 4))
    assert [question.id for question in asked.questions.all(split="train", topic="topic 1")] == [2]


def test_splits_of_unknown_questions_change_nothing(asked: Project) -> None:
    with pytest.raises(NotFoundError, match="number 99"):
        asked.questions.set_splits({1: "train", 99: "train"})
    assert asked.questions.count("train") == 0


def test_a_window_moves_and_searches(asked: Project) -> None:
    assert [question.id for question in asked.questions.window(3, 2)] == [4, 5]
    assert [question.id for question in asked.questions.window(0, 9, QuestionFilter(search="NUMBER 1"))] == [2, 11, 12]
    assert [question.id for question in asked.questions.window(0, 9, QuestionFilter(search="Topic 1"))] == [2, 5, 8, 11]
    assert asked.questions.matching(QuestionFilter(search="pic 1 ")) == 4
    asked.questions.add([Question((Message("user", "Wie?"),), topic="Überweisung")])
    assert asked.questions.matching(QuestionFilter(search="überweis")) == 1


def test_a_list_is_narrowed_by_split_topic_and_words(asked: Project) -> None:
    asked.questions.set_splits({1: "train", 2: "train", 3: "test"})

    def listed(**asked_for: str) -> list[int]:
        narrowed = QuestionFilter(**asked_for)
        ids = [question.id for question in asked.questions.window(0, 20, narrowed)]
        assert asked.questions.ids(narrowed) == tuple(ids)
        assert asked.questions.matching(narrowed) == len(ids)
        return ids

    assert listed(split="train") == [1, 2]
    assert listed(split="unsplit") == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert listed(split="unsplit", topic="topic 0", search="number") == [4, 7, 10]
    assert listed(topic="") == []
    assert asked.questions.ids(QuestionFilter("unsplit"), 2, 3) == (6, 7, 8)
    assert {row.topic: dict(row.splits) for row in asked.questions.topic_splits()} == {
        "topic 0": {"train": 1, None: 3},
        "topic 1": {"train": 1, None: 3},
        "topic 2": {"test": 1, None: 3},
    }


def test_what_would_be_new_is_told_before_it_is_stored(asked: Project) -> None:
    brought = [_question("new"), _question("What is number 3?"), _question(" NEW ")]
    assert asked.questions.new_among(brought) == (True, False, False)
    assert asked.questions.count() == 12
    added = asked.questions.add(brought)
    assert (added, asked.questions.ids_added(added.at)) == (AddedQuestions(1, 2), (13,))


def test_what_was_taken_out_comes_back_as_it_was(answered: Project) -> None:
    answered.questions.set_splits({2: "train", 5: "test"})
    before = answered.questions.all()
    taken = answered.questions.take_out([5, 2, 99])
    assert [removed.question.id for removed in taken] == [2, 5]
    assert answered.questions.count() == 10
    answered.questions.add([_question("What is number 4?")])
    assert answered.questions.put_back(taken) == 1  # the other was asked again meanwhile
    assert answered.questions.put_back(taken) == 0
    assert answered.questions.all()[:4] == before[:4]
    assert answered.questions.window(0, 9, QuestionFilter(search="number 1"))[:1] == (before[1],)
    assert answered.questions.examples_of([1, 2]) == {1: 1}
    assert answered.check() == ()


def test_a_split_can_be_taken_back(asked: Project) -> None:
    asked.questions.set_splits({1: "train", 2: "train"})
    asked.questions.set_splits({1: None})
    assert asked.questions.split_counts() == {"train": 1, None: 11}


def test_the_newest_of_one_source_end_where_another_begins(project: Project) -> None:
    assert project.questions.newest_of_one_source() == ()
    for number, source in enumerate(("a", "b", "b", "a", "a")):
        project.questions.add([Question((Message("user", f"q {number}"),), source=source)])
    assert project.questions.newest_of_one_source() == (4, 5)


def test_examples_are_counted_by_question_and_prompt(answered: Project) -> None:
    assert answered.questions.examples_of([1, 12, 99]) == {1: 1, 12: 1}
    assert answered.questions.examples_of([1], "another") == {}


@pytest.mark.parametrize("typed", ['"', "*", "a OR", "NEAR(", "text:x", "-", "(", "x\0y", "'; DROP TABLE questions"])
def test_nothing_typed_breaks_the_search(asked: Project, typed: str) -> None:
    assert asked.questions.window(0, 9, QuestionFilter(search=typed)) == ()


def test_removal_takes_everything_that_hangs_on_a_question(answered: Project) -> None:
    answered.decisions.decide([Decision(1, "accept", "person")])
    data = dataset()
    answered.datasets.add(data)
    run = answered.runs.add(data.sha256, TrainingConfig("starter"))
    answered.evaluations.add_answers(run.id, "key", [ArmAnswer("distilled", 1, 0, "a", "stop", (), 1, 1)])
    assert answered.questions.remove([1, 99]) == 1
    assert answered.examples.counts().total == 11
    assert answered._connection.number("SELECT count(*) FROM decisions") == 0
    assert answered.evaluations.answers("key") == ()
    assert [curated.example.id for curated in answered.examples.window(0, 20, Selection(search="number 1"))] == [
        2,
        10,
        11,
        12,
    ]
    assert len(answered.datasets.get(data.sha256).rows) == 3
    assert answered.check() == ()


def test_numbers_of_removed_questions_are_never_used_again(asked: Project) -> None:
    asked.questions.remove([12])
    asked.questions.add([_question("a later one")])
    assert asked.questions.all()[-1].id == 13


def test_removed_words_are_in_no_file_any_more(asked: Project) -> None:
    canary = "xylophonecanary"
    asked.questions.add([_question(f"my {canary}")])
    asked.examples.add([example(13, f"your {canary}")])
    asked.decisions.decide([Decision(1, "edit", "person", f"our {canary}")])
    asked.questions.remove([13, 1])
    asked.close()
    assert all(canary.encode() not in path.read_bytes() for path in asked.folder.glob("project.db*"))


def test_questions_newer_than_the_examples_are_counted(answered: Project) -> None:
    assert answered.questions.newer_than_examples(PROMPT.sha256) == 0
    while answered.questions.newer_than_examples(PROMPT.sha256) == 0:
        # Times are stored in milliseconds; the first questions may fall into the examples' own.
        answered.questions.add([_question(f"new {answered.questions.count()}"), _question("test one", split="test")])
