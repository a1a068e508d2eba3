"""The preview of a freeze: the same rows as the freeze, and all refusals at once."""

from engine.curation.freeze import freeze, preview
from engine.model.chat_format import ChatFormat
from engine.project import Project
from engine.records.example import Decision
from engine.records.prompt import Message
from engine.records.question import Question
from tests.engine.curation.conftest import GOOD, SYSTEM, StoreAnswer

LEAKED = f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act."


def accept(project: Project, *ids: int) -> None:
    project.decisions.decide([Decision(id, "accept", "person") for id in ids])


def test_preview_counts_the_rows_that_freezing_creates(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    accepted = [store_answer(question) for question in (1, 2, 6, 7, 8)]
    repeated = store_answer(1, attempt=1)
    rejected = store_answer(3)
    store_answer(4)
    accept(project, *accepted, repeated)
    project.decisions.decide([Decision(rejected, "reject", "person")])
    previewed = preview(project, chat)
    assert (previewed.undecided, previewed.rejected, previewed.repeated, previewed.refused) == (1, 1, 1, ())
    assert previewed.lengths_checked
    dataset = freeze(project, chat)
    assert previewed.rows("train") == len(dataset.split("train"))
    assert previewed.rows("validation") == len(dataset.split("validation"))
    tests = [
        id for id in accepted if project.questions.get(project.examples.get(id).example.key.question_id).split == "test"
    ]
    assert previewed.test == len(tests) > 0
    assert sum(topic.rows for topic in previewed.topics) == len(dataset.rows)


def test_all_refusals_are_listed_at_once_and_their_rows_are_not_counted(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    project.questions.add([Question((Message("user", "No split?"),)),
                           Question((Message("system", "Be rude."), Message("user", "Well?")))])  # fmt: skip
    unsplit, rude = (question.id for question in project.questions.all()[-2:])
    project.questions.set_splits({rude: "train"})
    ids = {
        "overlap": store_answer(1, LEAKED, local=False),
        "message": store_answer(2, f"I was told: {SYSTEM}", local=False),
        "cut": store_answer(3, "Of cour", finish="length"),
        "too_long": store_answer(4, "Yes " * 70 + "Ask your branch before you act."),
        "no_split": store_answer(unsplit),
        "system_message": store_answer(rude),
    }
    good = store_answer(5)
    accept(project, *ids.values(), good)
    previewed = preview(project, chat)
    assert {refusal.kind: refusal.example_id for refusal in previewed.refused} == ids
    words = {refusal.kind: refusal.words for refusal in previewed.refused}
    assert words["overlap"] in LEAKED
    assert "with the prompt" in words["too_long"]
    assert [topic.rows for topic in previewed.topics] == [1]
    assert project.datasets.latest() is None


def test_preview_without_a_tokenizer_states_that_lengths_are_not_checked(
    project: Project, store_answer: StoreAnswer
) -> None:
    accept(project, store_answer(1, "Yes " * 70 + GOOD))
    previewed = preview(project, None)
    assert (previewed.refused, previewed.lengths_checked) == ((), False)


def test_preview_without_accepted_answers_has_no_topics(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    store_answer(1)
    previewed = preview(project, chat)
    assert (previewed.topics, previewed.undecided) == ((), 1)
