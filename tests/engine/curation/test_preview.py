"""What freezing would do, said beforehand: the same rows, and every refusal at once."""

from engine.curation.freeze import freeze, preview
from engine.model.chat_format import ChatFormat
from engine.project import Project
from engine.records.dataset import TopicRows
from engine.records.example import Decision
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.curation.conftest import GOOD, SYSTEM, Answer

LEAKED = f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act."


def accept(project: Project, *ids: int) -> None:
    project.decisions.decide([Decision(id, "accept", "person") for id in ids])


def test_it_counts_what_freezing_then_does(project: Project, answer: Answer, chat: ChatFormat) -> None:
    accepted = [answer(question) for question in (1, 2, 6, 7, 8)]
    again = answer(1, attempt=1)
    rejected = answer(3)
    answer(4)
    accept(project, *accepted, again)
    project.decisions.decide([Decision(rejected, "reject", "person")])
    found = preview(project, chat)
    assert (found.undecided, found.rejected, found.repeated, found.refused) == (1, 1, 1, ())
    assert found.lengths_checked
    dataset = freeze(project, chat)
    assert found.rows("train") == len(dataset.split("train"))
    assert found.rows("validation") == len(dataset.split("validation"))
    tests = [
        id for id in accepted if project.questions.get(project.examples.get(id).example.key.question_id).split == "test"
    ]
    assert found.test == len(tests) > 0
    assert sum(topic.rows for topic in found.topics) == len(dataset.rows)
    assert all(isinstance(topic, TopicRows) for topic in found.topics)


def test_every_refusal_is_told_at_once_and_its_row_is_not_counted(
    project: Project, answer: Answer, chat: ChatFormat
) -> None:
    project.questions.add([Question((Message("user", "No split?"),)),
                           Question((Message("system", "Be rude."), Message("user", "Well?")))])  # fmt: skip
    unsplit, rude = (question.id for question in project.questions.all()[-2:])
    project.questions.set_splits({rude: "train"})
    ids = {
        "overlap": answer(1, LEAKED, local=False),
        "message": answer(2, f"I was told: {SYSTEM}", local=False),
        "cut": answer(3, "Of cour", finish="length"),
        "too_long": answer(4, "Yes " * 70 + "Ask your branch before you act."),
        "no_split": answer(unsplit),
        "system_message": answer(rude),
    }
    good = answer(5)
    accept(project, *ids.values(), good)
    found = preview(project, chat)
    assert {refusal.kind: refusal.example_id for refusal in found.refused} == ids
    words = {refusal.kind: refusal.words for refusal in found.refused}
    assert words["overlap"] in LEAKED
    assert "with the prompt" in words["too_long"]
    assert [topic.rows for topic in found.topics] == [1]
    assert project.datasets.latest() is None


def test_without_a_tokenizer_lengths_are_not_checked_and_it_says_so(project: Project, answer: Answer) -> None:
    accept(project, answer(1, "Yes " * 70 + GOOD))
    found = preview(project, None)
    assert (found.refused, found.lengths_checked) == ((), False)


def test_nothing_accepted_is_nothing_to_freeze(project: Project, answer: Answer, chat: ChatFormat) -> None:
    answer(1)
    found = preview(project, chat)
    assert (found.topics, found.undecided) == ((), 1)
