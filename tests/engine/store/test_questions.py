"""Questions: unique by their text, searchable, and erased from disk when removed."""

from dataclasses import replace

import pytest

from engine.errors import NotFoundError
from engine.project import Project
from engine.records.evaluation import ArmAnswer
from engine.records.example import Decision
from engine.records.prompt import Message
from engine.records.question import Question, QuestionFilter, Split
from engine.records.run import TrainingConfig
from engine.records.selection import Selection
from engine.store.questions import AddedQuestions, RemovedQuestion, normal_sha256
from tests.engine.store.sample_records import PROMPT, dataset, example


def _question(text: str, topic: str = "", split: Split | None = None) -> Question:
    return Question((Message("user", text),), topic=topic, split=split)


def test_questions_with_the_same_normalised_text_are_stored_once(project: Project) -> None:
    added = project.questions.add(
        [_question("Where is my card?"), _question("  where IS my\ncard? "), _question("Ｗhere is my card?")]
    )
    assert added == AddedQuestions(added=1, duplicates=2)
    assert project.questions.add([_question("where is my card?")]) == AddedQuestions(added=0, duplicates=1)
    assert project.questions.get(1).text == "Where is my card?"


def test_different_roles_or_turns_make_a_different_question() -> None:
    turn = Message("user", "a"), Message("assistant", "b"), Message("user", "c")
    lists = [
        turn,
        turn[:1],
        turn[2:],
        (Message("user", "a b c"),),
        (Message("user", "a"), Message("user", "b"), turn[2]),
    ]
    assert len({normal_sha256(messages) for messages in lists}) == len(lists)


def test_every_field_but_the_id_is_stored(project: Project) -> None:
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


@pytest.mark.usefixtures("twelve_questions")
def test_splits_and_topics_are_counted(project: Project) -> None:
    project.questions.set_splits({1: "train", 2: "train", 3: "test"})
    assert project.questions.split_counts() == {"train": 2, "test": 1, None: 9}
    assert (project.questions.count(), project.questions.count("train")) == (12, 2)
    assert project.questions.topics() == (("topic 0", 4), ("topic 1", 4), ("topic 2", 4))
    assert [question.id for question in project.questions.all(split="train", topic="topic 1")] == [2]


@pytest.mark.usefixtures("twelve_questions")
def test_setting_the_split_of_an_unknown_question_changes_nothing(project: Project) -> None:
    with pytest.raises(NotFoundError, match="There is no question 99"):
        project.questions.set_splits({1: "train", 99: "train"})
    assert project.questions.count("train") == 0


@pytest.mark.usefixtures("twelve_questions")
def test_window_supports_offset_and_search(project: Project) -> None:
    def found(search: str) -> list[int]:
        return [question.id for question in project.questions.window(0, 9, QuestionFilter(search=search))]

    assert [question.id for question in project.questions.window(3, 2)] == [4, 5]
    assert found("NUMBER 1") == [2, 11, 12]
    assert found("Topic 1") == [2, 5, 8, 11]
    assert project.questions.matching(QuestionFilter(search="pic 1 ")) == 4
    project.questions.add([Question((Message("user", "Wie?"),), topic="Überweisung")])
    assert project.questions.matching(QuestionFilter(search="überweis")) == 1


@pytest.mark.usefixtures("twelve_questions")
def test_questions_are_filtered_by_split_topic_and_search(project: Project) -> None:
    project.questions.set_splits({1: "train", 2: "train", 3: "test"})

    def listed(narrowed: QuestionFilter) -> list[int]:
        ids = [question.id for question in project.questions.window(0, 20, narrowed)]
        assert project.questions.ids(narrowed) == tuple(ids)
        assert project.questions.matching(narrowed) == len(ids)
        return ids

    assert listed(QuestionFilter(split="train")) == [1, 2]
    assert listed(QuestionFilter(split="unsplit")) == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert listed(QuestionFilter(split="unsplit", topic="topic 0", search="number")) == [4, 7, 10]
    assert listed(QuestionFilter(topic="")) == []
    assert project.questions.ids(QuestionFilter("unsplit"), 2, 3) == (6, 7, 8)
    assert {row.topic: dict(row.splits) for row in project.questions.topic_splits()} == {
        "topic 0": {"train": 1, None: 3},
        "topic 1": {"train": 1, None: 3},
        "topic 2": {"test": 1, None: 3},
    }


@pytest.mark.usefixtures("twelve_questions")
def test_new_among_predicts_what_add_stores(project: Project) -> None:
    new_questions = [_question("new"), _question("What is number 3?"), _question(" NEW ")]
    assert project.questions.new_among(new_questions) == (True, False, False)
    assert project.questions.count() == 12
    added = project.questions.add(new_questions)
    assert (added, project.questions.ids_added(added.at)) == (AddedQuestions(1, 2), (13,))


@pytest.mark.usefixtures("twelve_examples")
def test_put_back_restores_questions_unless_added_meanwhile(project: Project) -> None:
    project.questions.set_splits({2: "train", 5: "test"})
    before = project.questions.all()
    taken = project.questions.take_out([5, 2, 99])
    assert [removed.question.id for removed in taken] == [2, 5]
    assert project.questions.count() == 10
    project.questions.add([_question("What is number 4?")])
    assert project.questions.put_back(taken) == 1  # the other was added again meanwhile
    assert project.questions.put_back(taken) == 0
    assert project.questions.all()[:4] == before[:4]
    assert project.questions.window(0, 9, QuestionFilter(search="number 1"))[:1] == (before[1],)
    assert project.questions.examples_of([1, 2]) == {1: 1}
    assert project.check() == ()


@pytest.mark.usefixtures("twelve_questions")
def test_split_can_be_cleared(project: Project) -> None:
    project.questions.set_splits({1: "train", 2: "train"})
    project.questions.set_splits({1: None})
    assert project.questions.split_counts() == {"train": 1, None: 11}


def test_newest_of_one_source_end_where_another_source_starts(project: Project) -> None:
    assert project.questions.newest_of_one_source() == ()
    for number, source in enumerate(("a", "b", "b", "a", "a")):
        project.questions.add([Question((Message("user", f"q {number}"),), source=source)])
    assert project.questions.newest_of_one_source() == (4, 5)


@pytest.mark.usefixtures("twelve_examples")
def test_examples_are_counted_by_question_and_prompt(project: Project) -> None:
    assert project.questions.examples_of([1, 12, 99]) == {1: 1, 12: 1}
    assert project.questions.examples_of([1], "another") == {}


@pytest.mark.usefixtures("twelve_questions")
@pytest.mark.parametrize("typed", ['"', "*", "a OR", "NEAR(", "text:x", "-", "(", "x\0y", "'; DROP TABLE questions"])
def test_search_accepts_any_typed_text(project: Project, typed: str) -> None:
    assert project.questions.window(0, 9, QuestionFilter(search=typed)) == ()


@pytest.mark.usefixtures("twelve_examples")
def test_removing_a_question_deletes_its_examples_decisions_and_answers(project: Project) -> None:
    project.decisions.decide([Decision(1, "accept", "person")])
    data = dataset()
    project.datasets.add(data)
    run = project.runs.add(data.sha256, TrainingConfig("starter"))
    project.evaluations.add_answers(run.id, "key", [ArmAnswer("distilled", 1, 0, "a", "stop", (), 1, 1)])
    assert project.questions.remove([1, 99]) == 1
    assert project.examples.counts().total == 11
    assert project._connection.number("SELECT count(*) FROM decisions") == 0
    assert project.evaluations.answers("key") == ()
    left = project.examples.window(0, 20, Selection(search="number 1"))
    assert [curated.example.id for curated in left] == [2, 10, 11, 12]
    assert len(project.datasets.get(data.sha256).rows) == 3
    assert project.check() == ()


@pytest.mark.usefixtures("twelve_questions")
def test_ids_of_removed_questions_are_not_reused(project: Project) -> None:
    project.questions.remove([12])
    project.questions.add([_question("a later one")])
    assert project.questions.all()[-1].id == 13


@pytest.mark.usefixtures("twelve_questions")
def test_removed_text_is_erased_from_the_database_files(project: Project) -> None:
    canary = "xylophonecanary"
    project.questions.add([_question(f"my {canary}")])
    project.examples.add([example(13, f"your {canary}")])
    project.decisions.decide([Decision(1, "edit", "person", f"our {canary}")])
    project.questions.remove([13, 1])
    project.close()
    assert all(canary.encode() not in path.read_bytes() for path in project.folder.glob("project.db*"))


@pytest.mark.usefixtures("twelve_examples")
def test_unanswered_questions_newer_than_the_examples_are_counted(project: Project) -> None:
    assert project.questions.newer_than_examples(PROMPT.sha256) == 0
    asked = replace(_question("new", split="train"), id=13)
    newer = [asked, replace(_question("held out", split="test"), id=14), replace(_question("not split"), id=15)]
    project.questions.put_back([RemovedQuestion(question, "2999-01-01T00:00:00.000+00:00") for question in newer])
    before = project.questions.unanswered(PROMPT.sha256)
    assert project.questions.newer_than_examples(PROMPT.sha256) == 1, "only the ones a teacher is asked"
    assert project.questions.newer_than_examples("another") == 0
    assert project.questions.unanswered("another") == sum(
        project.questions.count(each) for each in ("train", "validation")
    )
    project.examples.add([example(13, "answered")])
    assert project.questions.unanswered(PROMPT.sha256) == before - 1
    assert project.questions.newer_than_examples(PROMPT.sha256) == 0
