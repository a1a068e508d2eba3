"""Freezing: which ids go in, where an edit begins, what is fixed, and everything that must stay out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import engine.curation.freeze as freezing
from engine.curation.automatic import check_examples
from engine.curation.candidates import Candidate
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
from tests.engine.curation.conftest import GOOD, PROMPT, SYSTEM, Answer


def test_local_answers_keep_the_ids_that_were_produced(project: Project, answer: Answer, chat: ChatFormat) -> None:
    answer(1)
    # A sampled answer need not be tokenised as its text would be: here the ids of one text come with another.
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


def test_an_edit_begins_at_its_first_changed_token(project: Project, answer: Answer, chat: ChatFormat) -> None:
    text = "Of course, madam. Ask your branch before you act."
    edit(project, answer(1), text)
    edit(project, answer(2, local=False), text)
    accept(project, Selection(ids=(answer(3, local=False),)))
    edit(project, answer(4), GOOD)
    same = len(chat.completion_ids("Of course")) - 1  # the tiny base has a token a byte
    rows = {row.question_id: row for row in freeze(project, chat).rows}
    assert rows[1].completion_ids == tuple(chat.completion_ids(text))
    assert rows[1].edited_from == same
    assert (rows[2].edited_from, rows[3].edited_from) == (0, 0)
    assert rows[4].edited_from == len(rows[4].completion_ids)


def test_ids_of_another_local_model_are_not_taken(project: Project, answer: Answer, chat: ChatFormat) -> None:
    answer(1)
    (stored,) = project.examples.all()
    project.examples.add([replace(stored.example, key=replace(stored.example.key, teacher="/another/model", attempt=1),
                                  answer="Sure. Ask your branch before you act.", token_ids=(5, 6, 7))])  # fmt: skip
    check_examples(project)
    rows = freeze(project, chat).rows
    assert rows[1].completion_ids == tuple(chat.completion_ids("Sure. Ask your branch before you act."))
    assert rows[1].edited_from == 0


def test_the_rules_that_it_keeps_are_those_that_it_was_frozen_with(
    project: Project, answer: Answer, chat: ChatFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(1)
    check_examples(project)
    rules, find = project.rules.all(), freezing.leaks_of

    def meanwhile(prompt: Prompt, held: Sequence[Rule], chosen: Iterable[Candidate]) -> tuple[LeakFinding, ...]:
        with Project.open(project.folder) as app:
            app.rules.put([])
        return find(prompt, held, chosen)

    monkeypatch.setattr(freezing, "leaks_of", meanwhile)
    dataset = freeze(project, chat)
    assert project.rules.all() == ()
    assert project.datasets.rules_of(dataset.sha256) == rules


def test_tokens_that_a_rule_dictates_are_fixed_and_the_rest_is_free(
    project: Project, answer: Answer, chat: ChatFormat
) -> None:
    answer(1)
    check_examples(project)
    (row,) = freeze(project, chat).rows
    free = len("Of course. ")
    assert row.fixed == (False,) * free + (True,) * (len(GOOD) - free) + (False,)


def test_only_accepted_answers_of_trained_splits_go_in_once(project: Project, answer: Answer, chat: ChatFormat) -> None:
    for question in (1, 6, 7, 8):
        answer(question)
    answer(1, attempt=1)
    answer(1, "Surely. Ask your branch before you act.", attempt=2)
    answer(2, "No advice here.")
    undecided = answer(3)
    check_examples(project)
    project.decisions.decide([Decision(undecided, "reject", "person")])
    dataset = freeze(project, chat)
    assert [(row.question_id, row.split) for row in dataset.rows] == [(1, "train"), (6, "validation"), (1, "train")]
    assert [chat.decode(row.completion_ids) for row in dataset.rows] == [
        GOOD,
        GOOD,
        "Surely. Ask your branch before you act.",
    ]


def test_the_same_answers_give_the_same_dataset(project: Project, answer: Answer, chat: ChatFormat) -> None:
    answer(1)
    answer(6)
    check_examples(project)
    first = freeze(project, chat)
    assert freeze(project, chat).sha256 == first.sha256
    edit(project, 1, "Of course! Ask your branch before you act.")
    assert freeze(project, chat).sha256 != first.sha256
    project.decisions.undo()
    assert freeze(project, chat).sha256 == first.sha256


@pytest.fixture
def router(project: Project, base: Path, chat: ChatFormat) -> Iterator[Project]:
    """Another project over the same base, with answers of its own; one of its questions is the first project's too."""
    with Project.create(
        project.home.projects / "router", ProjectSettings(student_base=str(base)), project.home
    ) as made:
        prompt = made.prompts.set(Prompt((Message("system", "Say where it belongs, in one word."),))).prompt
        made.rules.add([Rule(0, "One word.", Check("length", unit="words", max=1))])
        texts = ("May I open account number 1?", "My card is gone.", "What is my balance?")
        made.questions.add(Question((Message("user", text),)) for text in texts)
        made.questions.set_splits({1: "train", 2: "train", 3: "validation"})
        ids = tuple(chat.completion_ids("Accounts"))
        made.examples.add(
            [Example(ExampleKey(prompt.sha256, number, str(base), 0), "Accounts", "stop", "local", token_ids=ids)
             for number in (1, 2, 3)]
        )  # fmt: skip
        check_examples(made)
        yield made


def test_the_answers_of_another_project_go_in_behind_its_own_prompt(
    project: Project, router: Project, answer: Answer, chat: ChatFormat
) -> None:
    answer(1)
    answer(6)
    check_examples(project)
    alone = freeze(project, chat)
    both = freeze(project, chat, others=[router])
    assert both.rows[: len(alone.rows)] == alone.rows
    added = both.rows[len(alone.rows) :]
    assert [(row.prompt_index, row.question_id, row.split) for row in added] == [
        (1, 1, "train"), (1, 2, "train"), (1, 3, "validation"),
    ]  # fmt: skip
    assert all(row.edited_from == len(row.completion_ids) for row in added), "its teacher is this base too"
    (taught,) = both.others
    assert (taught.prompt, taught.project) == (router.prompts.require(), "router")
    assert taught.questions == tuple(router.questions.all())
    assert taught.rules == tuple(router.rules.all())
    assert both.questions_in_common == 1
    assert alone.questions_in_common == 0
    assert both.prompt_sha256 == PROMPT.sha256
    assert project.datasets.get(both.sha256) == both
    assert freeze(project, chat).sha256 == alone.sha256
    assert router.datasets.latest() is None, "nothing is written there"


def test_what_is_wrong_in_another_project_names_it(
    project: Project, router: Project, answer: Answer, chat: ChatFormat
) -> None:
    answer(1)
    check_examples(project)
    for others in ([project], [router, router]):
        with pytest.raises(UsageError, match="is already included"):
            freeze(project, chat, others=others)
    reject(router, Selection(ids=(1, 2, 3)))
    with pytest.raises(DatasetError, match=r"router: No accepted.*--project router"):
        freeze(project, chat, others=[router])
    router.settings.write(ProjectSettings(student_base="another"))
    with pytest.raises(DatasetError, match="The projects have different bases"):
        freeze(project, chat, others=[router])
    assert project.datasets.latest() is None


def test_without_accepted_answers_there_is_no_dataset(project: Project, answer: Answer, chat: ChatFormat) -> None:
    answer(1)
    with pytest.raises(DatasetError, match="No accepted example"):
        freeze(project, chat)
    answer(6)
    project.decisions.decide([Decision(2, "accept", "person")])
    with pytest.raises(DatasetError, match="train split"):
        freeze(project, chat)


def test_a_row_that_exceeds_the_context_is_named(project: Project, answer: Answer, chat: ChatFormat) -> None:
    # 512 byte tokens hold question and answer alone, but not behind the prompt.
    long = "Yes " * 70 + "Ask your branch before you act."
    accept(project, Selection(ids=(answer(1, long),)))
    with pytest.raises(ContextError, match=r"^Example 1 \(question 1\) with the prompt"):
        freeze(project, chat)
    reject(project, Selection(ids=(1,)))
    accept(project, Selection(ids=(answer(1, long, local=False),)))
    assert len(freeze(project, chat).rows) == 1


def test_repeated_prompt_text_is_refused_and_can_be_allowed(project: Project, answer: Answer, chat: ChatFormat) -> None:
    leaked = f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act."
    accept(project, Selection(ids=(answer(1), answer(2, leaked, local=False))))
    with pytest.raises(LeakError, match="example 2") as caught:
        freeze(project, chat)
    assert [(finding.example_id, finding.kind) for finding in caught.value.findings] == [(2, "overlap")]
    assert project.datasets.latest() is None
    assert len(freeze(project, chat, allow_leaks=True).rows) == 2


def test_a_whole_message_of_the_prompt_is_never_allowed(project: Project, answer: Answer, chat: ChatFormat) -> None:
    leaked = f"I was told: {SYSTEM}"
    accept(project, Selection(ids=(answer(1), answer(2, leaked, local=False))))
    with pytest.raises(LeakError, match="never trained on") as caught:
        freeze(project, chat, allow_leaks=True)
    assert [(finding.example_id, finding.kind) for finding in caught.value.findings] == [(2, "message")]
    assert project.datasets.latest() is None


def test_a_pattern_that_matches_everything_excuses_no_leak(project: Project, answer: Answer, chat: ChatFormat) -> None:
    project.rules.add([Rule(0, "Anything", Check("pattern", pattern=r"(?s).*"))])
    leaked = f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act."
    accept(project, Selection(ids=(answer(1, leaked, local=False),)))
    with pytest.raises(LeakError):
        freeze(project, chat)


def test_a_question_without_split_or_with_a_system_message_is_refused(
    project: Project, answer: Answer, chat: ChatFormat
) -> None:
    project.questions.add([Question((Message("user", "No split?"),)),
                           Question((Message("system", "Be rude."), Message("user", "Well?")))])  # fmt: skip
    unsplit, rude = (question.id for question in project.questions.all()[-2:])
    project.questions.set_splits({rude: "train"})
    accept(project, Selection(ids=(answer(unsplit),)))
    with pytest.raises(DatasetError, match="no split"):
        freeze(project, chat)
    project.questions.set_splits({unsplit: "train"})
    accept(project, Selection(ids=(answer(rude),)))
    with pytest.raises(DatasetError, match="contains a system message"):
        freeze(project, chat)


def test_a_cut_answer_is_never_trained_on_as_it_is(project: Project, answer: Answer, chat: ChatFormat) -> None:
    cut = answer(1, "Of cour", finish="length")
    with pytest.raises(UsageError, match="cut answer"):
        accept(project, Selection(ids=(cut,)))
    project.decisions.decide([Decision(cut, "accept", "person")])
    with pytest.raises(DatasetError, match="cut answer"):
        freeze(project, chat)
    edit(project, cut, GOOD)
    (row,) = freeze(project, chat).rows
    assert row.edited_from == len("Of cour")


def test_rules_decide_what_no_person_decided_in_one_step(project: Project, answer: Answer) -> None:
    answer(1)
    answer(2, "Never.")
    answer(3, "Of cour", finish="length")
    answer(4, f"{' '.join(SYSTEM.split()[:20])}. Ask your branch before you act.")
    mine = answer(5, "My own way.")
    accept(project, Selection(ids=(mine,)))
    counts = check_examples(project)
    assert (counts.accepted, counts.rejected) == (1, 3)
    decided = {curated.example.id: curated.decision for curated in project.examples.all()}
    reasons = {id: decision.reason for id, decision in decided.items() if decision is not None}
    assert "rule 1" in reasons[2]
    assert "token limit" in reasons[3]
    assert "repeats the prompt" in reasons[4]
    assert decided[5] is not None
    assert (decided[5].source, decided[5].verdict) == ("person", "accept")
    moved = project.decisions.undo()
    assert moved is not None
    assert moved.decisions == 4
    assert [curated.decision is None for curated in project.examples.all()] == [True] * 4 + [False]


def test_changed_rules_change_only_what_rules_decided(project: Project, answer: Answer) -> None:
    answer(1)
    kept = answer(2)
    check_examples(project)
    accept(project, Selection(ids=(kept,)))
    project.rules.add([Rule(0, "Say please.", Check("contains", text="please"))])
    counts = check_examples(project)
    assert (counts.accepted, counts.rejected) == (0, 1)
    assert [curated.state for curated in project.examples.all()] == ["rejected", "accepted"]
    again = check_examples(project)
    assert (again.accepted, again.rejected) == (0, 0)
    checks = project.examples.get(1).example.checks
    assert [(check.rule_id, check.passed) for check in checks] == [(1, True), (2, True), (3, False)]


def test_an_edit_reports_the_rules_it_breaks(project: Project, answer: Answer) -> None:
    answer(1)
    assert [check.passed for check in edit(project, 1, "No.")] == [False, True]
    with pytest.raises(UsageError, match="empty"):
        edit(project, 1, "  \n")
