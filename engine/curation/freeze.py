"""Freezes the accepted examples into a dataset: prompt-free token ids, made once, named by their content hash.

Ids that a local teacher produced are kept; all other text is tokenised here. Rows that repeat the prompt, exceed the
context or belong to the test split are never included. Knows the tokenizer only as a protocol.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from engine.curation.candidates import Candidate, leaks_of, sort_out
from engine.errors import ContextError, DatasetError, DistillError, UsageError
from engine.project import Project
from engine.records.dataset import (
    Dataset,
    DatasetPrompt,
    DatasetRow,
    FreezePreview,
    LeakFinding,
    Refusal,
    TopicRows,
)
from engine.records.example import CuratedExample
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Rule
from engine.rules.checks import check_answer
from engine.store.clock import now_text
from engine.store.datasets import dataset_sha256
from engine.wording import counted

_FINDINGS_SHOWN = 5


class CompletionTokenizer(Protocol):
    """What freezing needs from the student's chat format."""

    def question_ids(self, messages: Sequence[Message]) -> list[int]: ...
    def prompted_ids(self, prompt: Prompt, messages: Sequence[Message]) -> list[int]: ...
    def completion_ids(self, answer: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def token_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]: ...
    def check_length(self, ids: Sequence[int], what: str) -> None: ...


class LeakError(DatasetError):
    """Rows repeat the prompt. `findings` lists all of them."""

    def __init__(self, findings: tuple[LeakFinding, ...]) -> None:
        shown = "; ".join(
            f"example {finding.example_id} ({finding.kind}): “{finding.words[:80]}”"
            for finding in findings[:_FINDINGS_SHOWN]
        )
        more = f"; and {len(findings) - _FINDINGS_SHOWN} more" if len(findings) > _FINDINGS_SHOWN else ""
        whole = any(finding.kind == "message" for finding in findings)
        super().__init__(
            f"The examples contain {counted(len(findings), 'passage')} of the prompt.",
            f"{shown}{more}.",
            "Edit or reject these examples. Whole messages of the prompt are never trained on."
            if whole
            else "Edit or reject these examples, or freeze with --allow-leaks if the student may repeat them.",
        )
        self.findings = findings


def freeze(
    project: Project, tokenizer: CompletionTokenizer, *, allow_leaks: bool = False, others: Sequence[Project] = ()
) -> Dataset:
    """Build, store and return the dataset of the current prompt's accepted train and validation examples.

    With `others`, the examples of those projects' current prompts are included too, with their current questions,
    prompt and rules, so that one adapter learns all of them. The other projects are not changed.

    The same accepted answers always give the same dataset. Raises `UsageError` without a prompt, without accepted rows
    or for a project that is given twice; `DatasetError` for a question without a split or with a system message, for a
    cut answer, or for another base; `LeakError` for a repeated message of the prompt, or words of its system message
    unless `allow_leaks`; and `ContextError` for a row that exceeds the context.
    """
    base = project.settings.read().student_base
    own, rows = _answers(project, base, tokenizer, allow_leaks=allow_leaks)
    taken: list[DatasetPrompt] = []
    for index, other in enumerate(others, start=1):
        _check_other(project, base, others[:index])
        try:
            dataset_prompt, added = _answers(other, base, tokenizer, allow_leaks=allow_leaks)
        except DistillError as error:
            error.title = f"{other.name}: {error.title}"
            error.next += f" (there: --project {other.name})" if "distill-tui" in error.next else ""
            raise
        taken.append(replace(dataset_prompt, project=_where(other, project)))
        rows += tuple(replace(row, prompt_index=index) for row in added)
    dataset = Dataset(
        sha256=dataset_sha256(own.prompt.sha256, base, rows, taken),
        prompt_sha256=own.prompt.sha256,
        base=base,
        rows=rows,
        created_at=now_text(),
        others=tuple(taken),
    )
    project.datasets.add(dataset, own.accepted_sha256, own.rules)
    return dataset


def require_accepted(project: Project) -> None:
    """Raise `UsageError` without a prompt, or if no answer to it is accepted."""
    counts = project.examples.counts(project.prompts.require().sha256)
    if counts.accepted:
        return
    if not counts.total:
        older = project.examples.count()
        message = f"Answers to older versions of the prompt: {older:,}." if older else "The teacher has not answered."
        raise UsageError("There are no answers to freeze.", message, "Generate some: distill-tui generate")
    message = f"{counted(counts.total, 'answer')}: {counts.words}."
    next_step = "Generate more, or accept some: distill-tui generate, or distill-tui curate accept"
    if counts.undecided:
        next_step = "Let the rules decide (distill-tui curate check), or review them yourself in the app."
    raise UsageError("No accepted answer to freeze.", message, next_step)


def _answers(
    project: Project, base: str, tokenizer: CompletionTokenizer, *, allow_leaks: bool
) -> tuple[DatasetPrompt, tuple[DatasetRow, ...]]:
    """Return one project's prompt and the rows of its accepted answers. Raises as `freeze` does."""
    with project.snapshot():
        require_accepted(project)
        prompt, rules = project.prompts.require(), project.rules.all()
        accepted_sha256 = project.examples.accepted_sha256(prompt.sha256)
        examples = project.examples.all(prompt.sha256)
        questions = project.questions.by_id()
    candidates = sort_out(examples, questions)
    for refusal in candidates.refused:
        raise _refused(refusal)
    if not candidates.any_to_train_on:
        raise UsageError(
            "No accepted answer can be trained on.",
            "A dataset needs accepted answers to questions of the train split.",
            "Generate answers to those, and review them: distill-tui generate, then distill-tui curate check",
        )
    chosen = candidates.chosen
    findings = leaks_of(prompt, rules, chosen)
    refused = tuple(finding for finding in findings if finding.kind == "message" or not allow_leaks)
    if refused:
        raise LeakError(refused)
    builder = _Builder(prompt, base, rules, tokenizer)
    rows = tuple(builder.row(curated, question) for curated, question in chosen)
    asked = tuple(questions[number] for number in sorted({row.question_id for row in rows}))
    return DatasetPrompt(prompt, asked, rules, accepted_sha256=accepted_sha256), rows


def _check_other(project: Project, base: str, named: Sequence[Project]) -> None:
    """Check that the last of `named` can be combined with the ones before it. Raises as `freeze` does."""
    *before, other = named
    if other.folder.resolve() in {each.folder.resolve() for each in (project, *before)}:
        raise UsageError(f"{other.name} is already included.", "A project can be included once.", "Name it only once.")
    if (theirs := other.settings.read().student_base) != base:
        raise DatasetError(
            "The projects have different bases.",
            f"{project.name} adapts {base}, but {other.name} adapts {theirs}.",
            "Only include projects with the same base.",
        )


def _where(other: Project, project: Project) -> str:
    """Return how to find `other` again: its name if it is in the home, else its folder."""
    return other.name if other.folder == project.home.projects / other.name else str(other.folder)


def preview(project: Project, tokenizer: CompletionTokenizer | None) -> FreezePreview:
    """Return what `freeze` would do now, and everything that it would refuse. Stores nothing.

    Without a tokenizer, lengths are not checked. Raises `UsageError` without a prompt.
    """
    with project.snapshot():
        prompt, rules = project.prompts.require(), project.rules.all()
        base = project.settings.read().student_base
        examples = project.examples.all(prompt.sha256)
        questions = project.questions.by_id()
    candidates = sort_out(examples, questions)
    leaks = leaks_of(prompt, rules, candidates.chosen)
    refused = [
        *candidates.refused,
        *(Refusal(leak.example_id, leak.question_id, leak.kind, leak.words) for leak in leaks),
    ]
    if tokenizer is not None:
        builder = _Builder(prompt, base, rules, tokenizer)
        refused += _too_long(builder, candidates.chosen)
    left_out = {refusal.example_id for refusal in refused}
    rows = Counter((q.topic, q.split) for curated, q in candidates.chosen if curated.example.id not in left_out)
    states = Counter(curated.state for curated in examples)
    return FreezePreview(
        topics=tuple(TopicRows(topic, split or "train", count) for (topic, split), count in sorted(rows.items())),
        refused=tuple(sorted(refused, key=lambda refusal: refusal.example_id)),
        undecided=states["undecided"],
        rejected=states["rejected"],
        test=candidates.test,
        repeated=candidates.repeated,
        lengths_checked=tokenizer is not None,
    )


def _too_long(builder: "_Builder", chosen: Sequence[Candidate]) -> Iterator[Refusal]:
    for curated, question in chosen:
        try:
            builder.ids(curated, question)
        except ContextError as error:
            yield Refusal(curated.example.id, question.id, "too_long", f"{error.title} {error.message}")


def _refused(refusal: Refusal) -> DatasetError:
    match refusal.kind:
        case "no_split":
            title, next_step = "A question has no split.", "Split the questions first: distill-tui questions split"
        case "system_message":
            title = "A question contains a system message."
            next_step = "Remove the question, or import it without its system message."
        case _:
            title = "A cut answer was accepted."
            next_step = f"Edit or reject it: distill-tui curate reject {refusal.example_id}"
    return DatasetError(
        title, f"Example {refusal.example_id} (question {refusal.question_id}): {refusal.words}.", next_step
    )


class _Builder:
    """Builds rows of one prompt with one tokenizer. A question's ids are computed once for all its answers."""

    def __init__(self, prompt: Prompt, base: str, rules: Sequence[Rule], tokenizer: CompletionTokenizer) -> None:
        self._prompt = prompt
        self._base = base
        self._rules = rules
        self._tokenizer = tokenizer
        self._question_ids: dict[int, tuple[int, ...]] = {}
        self._prompted_ids: dict[int, list[int]] = {}

    def row(self, curated: CuratedExample, question: Question) -> DatasetRow:
        question_ids, completion = self.ids(curated, question)
        return DatasetRow(
            example_id=curated.example.id,
            question_id=question.id,
            split=question.split or "train",
            question_ids=question_ids,
            completion_ids=completion,
            edited_from=_first_difference(self._produced(curated), completion),
            fixed=self._fixed(completion, question),
        )

    def ids(self, curated: CuratedExample, question: Question) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the ids of the question and of the answer. Raises `ContextError` if they exceed the context."""
        produced = self._produced(curated)
        tokenised = not produced or curated.edited
        completion = tuple(self._tokenizer.completion_ids(curated.answer)) if tokenised else produced
        if question.id not in self._question_ids:
            self._question_ids[question.id] = tuple(self._tokenizer.question_ids(question.messages))
        question_ids = self._question_ids[question.id]
        where = f"Example {curated.example.id} (question {question.id})"
        self._tokenizer.check_length([*question_ids, *completion], where)
        if produced:  # a local teacher scores this row with the prompt in context
            if question.id not in self._prompted_ids:
                self._prompted_ids[question.id] = self._tokenizer.prompted_ids(self._prompt, question.messages)
            self._tokenizer.check_length([*self._prompted_ids[question.id], *completion], f"{where} with the prompt")
        return question_ids, completion

    def _produced(self, curated: CuratedExample) -> tuple[int, ...]:
        """Return the ids produced by the student's own base; empty for other teachers, whose ids mean nothing here."""
        example = curated.example
        local = example.teacher_kind == "local" and example.key.teacher == self._base
        return example.token_ids or () if local else ()

    def _fixed(self, completion: Sequence[int], question: Question) -> tuple[bool, ...]:
        # Check the decoded text, because token spans refer to it.
        answer = self._tokenizer.decode(completion)
        dictated = [span for result in check_answer(self._rules, answer, question) for span in result.fixed]
        return tuple(
            any(span.overlaps(*token) for span in dictated) for token in self._tokenizer.token_spans(completion)
        )


def _first_difference(produced: Sequence[int], completion: Sequence[int]) -> int:
    same = 0
    for before, after in zip(produced, completion, strict=False):
        if before != after:
            break
        same += 1
    return same
