"""Freezing a dataset: its token ids, edits and fixed tokens, other projects, and everything that is refused."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import engine.curation.freeze as freezing
from engine.curation.automatic import check_examples
from engine.curation.candidates import Candidate, leaks_of
from engine.curation.decisions import accept, edit, reject
from engine.curation.freeze import LeakError, freeze
from engine.errors import ContextError, DatasetError, UsageError
from engine.model.chat_format import ChatFormat
from engine.project import Project
from engine.records.dataset import LeakFinding
from engine.records.example import Decision, Example, ExampleKey
from engine.records.options import ProjectSettings
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Check, Rule
from engine.records.selection import Selection
from tests.engine.curation.conftest import GOOD, PROMPT, SYSTEM, StoreAnswer


def test_local_answers_keep_their_sampled_token_ids(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    store_answer(1)
    # A sampled answer may be tokenised differently from its text: here its ids are those of another text.
    (stored,) = project.examples.all()
    odd = replace(stored.example, key=replace(stored.example.key, question_id=2), token_ids=(90, 91, *chat.stop_ids))
    project.examples.add([odd])
    check_examples(project)
    dataset = freeze(project, chat)
    assert [row.completion_ids for row in dataset.rows] == [tuple(chat.completion_ids(GOOD)), (90, 91, *chat.stop_ids)]
    for row in dataset.rows:
        question = project.questions.get(row.question_id)
        assert list(row.question_ids) == chat.question_ids(question.messages)
        assert row.edited_from == len(row.completion_ids)
    assert project.datasets.get(dataset.sha256) == dataset
    assert (dataset.prompt_sha256, dataset.base) == (PROMPT.sha256, project.settings.read().student_base)


def test_edit_starts_at_its_first_changed_token(project: Project, store_answer: StoreAnswer, chat: ChatFormat) -> None:
    text = "Of course, madam. Ask your branch before you act."
    edit(project, store_answer(1), text)
    edit(project, store_answer(2, local=False), text)
    accept(project, Selection(ids=(store_answer(3, local=False),)))
    edit(project, store_answer(4), GOOD)
    same = len(chat.completion_ids("Of course")) - 1  # the tiny base has one token per byte
    rows = {row.question_id: row for row in freeze(project, chat).rows}
    assert rows[1].completion_ids == tuple(chat.completion_ids(text))
    assert rows[1].edited_from == same
    assert (rows[2].edited_from, rows[3].edited_from) == (0, 0)
    assert rows[4].edited_from == len(rows[4].completion_ids)


def test_token_ids_of_another_local_model_are_not_used(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    store_answer(1)
    (stored,) = project.examples.all()
    project.examples.add([replace(stored.example, key=replace(stored.example.key, teacher="/another/model", attempt=1),
                                  answer="Sure. Ask your branch before you act.", token_ids=(5, 6, 7))])  # fmt: skip
    check_examples(project)
    rows = freeze(project, chat).rows
    assert rows[1].completion_ids == tuple(chat.completion_ids("Sure. Ask your branch before you act."))
    assert rows[1].edited_from == 0


def test_dataset_stores_the_rules_it_was_frozen_with(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_answer(1)
    check_examples(project)
    rules = project.rules.all()

    def clear_rules_then_search(
        prompt: Prompt, rules_read: Sequence[Rule], chosen: Iterable[Candidate]
    ) -> tuple[LeakFinding, ...]:
        with Project.open(project.folder) as opened:
            opened.rules.put([])
        return leaks_of(prompt, rules_read, chosen)

    monkeypatch.setattr(freezing, "leaks_of", clear_rules_then_search)
    dataset = freeze(project, chat)
    assert project.rules.all() == ()
    assert project.datasets.rules_of(dataset.sha256) == rules


def test_tokens_dictated_by_a_rule_are_fixed_and_others_are_free(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    store_answer(1)
    check_examples(project)
    (row,) = freeze(project, chat).rows
    free = len("Of course. ")
    assert row.fixed == (False,) * free + (True,) * (len(GOOD) - free) + (False,)


def test_dataset_has_accepted_train_and_validation_answers_without_repeats(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    for question in (1, 6, 7, 8):
        store_answer(question)
    store_answer(1, attempt=1)
    store_answer(1, "Surely. Ask your branch before you act.", attempt=2)
    store_answer(2, "No advice here.")
    undecided = store_answer(3)
    check_examples(project)
    project.decisions.decide([Decision(undecided, "reject", "person")])
    dataset = freeze(project, chat)
    assert [(row.question_id, row.split) for row in dataset.rows] == [(1, "train"), (6, "validation"), (1, "train")]
    assert [chat.decode(row.completion_ids) for row in dataset.rows] == [
        GOOD,
        GOOD,
        "Surely. Ask your branch before you act.",
    ]


def test_same_answers_give_the_same_dataset(project: Project, store_answer: StoreAnswer, chat: ChatFormat) -> None:
    store_answer(1)
    store_answer(6)
    check_examples(project)
    first = freeze(project, chat)
    assert freeze(project, chat).sha256 == first.sha256
    edit(project, 1, "Of course! Ask your branch before you act.")
    assert freeze(project, chat).sha256 != first.sha256
    project.decisions.undo()
    assert freeze(project, chat).sha256 == first.sha256


@pytest.fixture
def router(project: Project, base: Path, chat: ChatFormat) -> Iterator[Project]:
    """Another project over the same base with its own answers; one of its questions is in the first project too."""
    with Project.create(
        project.home.projects / "router", ProjectSettings(student_base=str(base)), project.home
    ) as router_project:
        prompt = router_project.prompts.set(Prompt((Message("system", "Say where it belongs, in one word."),))).prompt
        router_project.rules.add([Rule(0, "One word.", Check("length", unit="words", max=1))])
        texts = ("May I open account number 1?", "My card is gone.", "What is my balance?")
        router_project.questions.add(Question((Message("user", text),)) for text in texts)
        router_project.questions.set_splits({1: "train", 2: "train", 3: "validation"})
        ids = tuple(chat.completion_ids("Accounts"))
        router_project.examples.add(
            [Example(ExampleKey(prompt.sha256, number, str(base), 0), "Accounts", "stop", "local", token_ids=ids)
             for number in (1, 2, 3)]
        )  # fmt: skip
        check_examples(router_project)
        yield router_project


def test_answers_of_another_project_are_added_with_its_prompt_and_rules(
    project: Project, router: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    store_answer(1)
    store_answer(6)
    check_examples(project)
    alone = freeze(project, chat)
    both = freeze(project, chat, others=[router])
    assert both.rows[: len(alone.rows)] == alone.rows
    added = both.rows[len(alone.rows) :]
    assert [(row.prompt_index, row.question_id, row.split) for row in added] == [
        (1, 1, "train"), (1, 2, "train"), (1, 3, "validation"),
    ]  # fmt: skip
    assert all(row.edited_from == len(row.completion_ids) for row in added), "its teacher is the same base"
    (other,) = both.others
    assert (other.prompt, other.project) == (router.prompts.require(), "router")
    assert other.questions == tuple(router.questions.all())
    assert other.rules == tuple(router.rules.all())
    assert both.questions_in_common == 1
    assert alone.questions_in_common == 0
    assert both.prompt_sha256 == PROMPT.sha256
    assert project.datasets.get(both.sha256) == both
    assert freeze(project, chat).sha256 == alone.sha256
    assert router.datasets.latest() is None, "the other project is not changed"


def test_errors_in_another_project_are_refused_and_name_it(
    project: Project, router: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    store_answer(1)
    check_examples(project)
    for others in ([project], [router, router]):
        with pytest.raises(UsageError, match="is already included"):
            freeze(project, chat, others=others)
    reject(router, Selection(ids=(1, 2, 3)))
    with pytest.raises(UsageError, match=r"router: No accepted.*--project router"):
        freeze(project, chat, others=[router])
    router.settings.write(ProjectSettings(student_base="another"))
    with pytest.raises(DatasetError, match="The projects have different bases"):
        freeze(project, chat, others=[router])
    assert project.datasets.latest() is None


def test_freezing_without_accepted_train_answers_is_refused(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    store_answer(1)
    with pytest.raises(UsageError, match=r"No accepted answer.*1 undecided.*curate check"):
        freeze(project, chat)
    store_answer(6)
    project.decisions.decide([Decision(2, "accept", "person")])
    with pytest.raises(UsageError, match="train split"):
        freeze(project, chat)


def test_row_that_exceeds_the_context_is_refused_by_name(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    # Question and answer fit into 512 byte tokens, but not after the prompt.
    long = "Yes " * 70 + "Ask your branch before you act."
    accept(project, Selection(ids=(store_answer(1, long),)))
    with pytest.raises(ContextError, match=r"^Example 1 \(question 1\) with the prompt"):
        freeze(project, chat)
    reject(project, Selection(ids=(1,)))
    accept(project, Selection(ids=(store_answer(1, long, local=False),)))
    assert len(freeze(project, chat).rows) == 1


def test_repeated_prompt_text_is_refused_unless_allowed(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    leaked = f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act."
    accept(project, Selection(ids=(store_answer(1), store_answer(2, leaked, local=False))))
    with pytest.raises(LeakError, match="example 2") as caught:
        freeze(project, chat)
    assert [(finding.example_id, finding.kind) for finding in caught.value.findings] == [(2, "overlap")]
    assert project.datasets.latest() is None
    assert len(freeze(project, chat, allow_leaks=True).rows) == 2


def test_whole_prompt_message_is_refused_even_if_leaks_are_allowed(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    leaked = f"I was told: {SYSTEM}"
    accept(project, Selection(ids=(store_answer(1), store_answer(2, leaked, local=False))))
    with pytest.raises(LeakError, match="never trained on") as caught:
        freeze(project, chat, allow_leaks=True)
    assert [(finding.example_id, finding.kind) for finding in caught.value.findings] == [(2, "message")]
    assert project.datasets.latest() is None


def test_pattern_that_matches_everything_does_not_excuse_a_leak(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    project.rules.add([Rule(0, "Anything", Check("pattern", pattern=r"(?s).*"))])
    leaked = f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act."
    accept(project, Selection(ids=(store_answer(1, leaked, local=False),)))
    with pytest.raises(LeakError):
        freeze(project, chat)


def test_question_without_a_split_or_with_a_system_message_is_refused(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    project.questions.add([Question((Message("user", "No split?"),)),
                           Question((Message("system", "Be rude."), Message("user", "Well?")))])  # fmt: skip
    unsplit, rude = (question.id for question in project.questions.all()[-2:])
    project.questions.set_splits({rude: "train"})
    accept(project, Selection(ids=(store_answer(unsplit),)))
    with pytest.raises(DatasetError, match="no split"):
        freeze(project, chat)
    project.questions.set_splits({unsplit: "train"})
    accept(project, Selection(ids=(store_answer(rude),)))
    with pytest.raises(DatasetError, match="contains a system message"):
        freeze(project, chat)


def test_cut_answer_is_refused_until_it_is_edited(
    project: Project, store_answer: StoreAnswer, chat: ChatFormat
) -> None:
    cut_id = store_answer(1, "Of cour", finish="length")
    with pytest.raises(UsageError, match="cut answer"):
        accept(project, Selection(ids=(cut_id,)))
    project.decisions.decide([Decision(cut_id, "accept", "person")])
    with pytest.raises(DatasetError, match="cut answer"):
        freeze(project, chat)
    edit(project, cut_id, GOOD)
    (row,) = freeze(project, chat).rows
    assert row.edited_from == len("Of cour")


def test_automatic_check_decides_undecided_answers_in_one_step(project: Project, store_answer: StoreAnswer) -> None:
    store_answer(1)
    store_answer(2, "Never.")
    store_answer(3, "Of cour", finish="length")
    store_answer(4, f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act.")
    accepted_id = store_answer(5, "My own way.")
    accept(project, Selection(ids=(accepted_id,)))
    counts = check_examples(project)
    assert (counts.accepted, counts.rejected) == (1, 3)
    decided = {curated.example.id: curated.decision for curated in project.examples.all()}
    reasons = {id: decision.reason for id, decision in decided.items() if decision is not None}
    assert "rule 1" in reasons[2]
    assert "token limit" in reasons[3]
    assert "repeats the prompt" in reasons[4]
    assert decided[5] is not None
    assert (decided[5].source, decided[5].verdict) == ("person", "accept")
    undone = project.decisions.undo()
    assert undone is not None
    assert undone.decisions == 4
    assert [curated.decision is None for curated in project.examples.all()] == [True] * 4 + [False]


def test_changed_rules_revise_only_automatic_decisions(project: Project, store_answer: StoreAnswer) -> None:
    store_answer(1)
    accepted_id = store_answer(2)
    check_examples(project)
    accept(project, Selection(ids=(accepted_id,)))
    project.rules.add([Rule(0, "Say please.", Check("contains", text="please"))])
    counts = check_examples(project)
    assert (counts.accepted, counts.rejected) == (0, 1)
    assert [curated.state for curated in project.examples.all()] == ["rejected", "accepted"]
    again = check_examples(project)
    assert (again.accepted, again.rejected) == (0, 0)
    checks = project.examples.get(1).example.checks
    assert [(check.rule_id, check.passed) for check in checks] == [(1, True), (2, True), (3, False)]


def test_edit_returns_rule_checks_and_refuses_empty_text(project: Project, store_answer: StoreAnswer) -> None:
    store_answer(1)
    assert [check.passed for check in edit(project, 1, "No.")] == [False, True]
    with pytest.raises(UsageError, match="empty"):
        edit(project, 1, "  \n")
