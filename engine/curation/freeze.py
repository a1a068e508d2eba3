"""Freezes the accepted examples into a dataset: prompt-free token ids, made once, named by their content.

Ids that a local teacher produced stay as they were; all other text is tokenised here. Rows that repeat the prompt,
exceed the context or belong to the test split never get in. Knows the tokenizer only by what it must do.
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
    DatasetRow,
    FreezePreview,
    LeakFinding,
    Refusal,
    TaughtPrompt,
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
    """What freezing asks of the student's chat format."""

    def question_ids(self, messages: Sequence[Message]) -> list[int]: ...
    def prompted_ids(self, prompt: Prompt, messages: Sequence[Message]) -> list[int]: ...
    def completion_ids(self, answer: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def token_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]: ...
    def check_length(self, ids: Sequence[int], what: str) -> None: ...


class LeakError(DatasetError):
    """Rows repeat the prompt; `findings` lists them all."""

    def __init__(self, findings: tuple[LeakFinding, ...]) -> None:
        shown = "; ".join(
            f"example {finding.example_id} ({finding.kind}): «{finding.words[:80]}»"
            for finding in findings[:_FINDINGS_SHOWN]
        )
        more = f"; and {len(findings) - _FINDINGS_SHOWN} more" if len(findings) > _FINDINGS_SHOWN else ""
        whole = any(finding.kind == "message" for finding in findings)
        super().__init__(
            f"The examples hold {counted(len(findings), 'passage')} of the prompt.",
            f"{shown}{more}.",
            "Edit or reject these examples: a whole message of the prompt is never trained on."
            if whole
            else "Edit or reject these examples, or freeze with --allow-leaks if the student may repeat them.",
        )
        self.findings = findings


def freeze(
    project: Project, tokenizer: CompletionTokenizer, *, allow_leaks: bool = False, others: Sequence[Project] = ()
) -> Dataset:
    """Build, store and return the dataset of the current prompt's accepted train and validation examples.

    With `others`, those of their current prompts go in too, each with its questions, prompt and rules as they are now,
    so that one adapter learns all of them; nothing is written there.

    The same accepted answers give the same dataset, whenever it is frozen. Raises `UsageError` without a prompt,
    `DatasetError` without accepted rows or for a question without split or with a system message, `LeakError` for a
    repeated message of the prompt, or for words of its system message unless `allow_leaks`, and `ContextError` for a
    row that exceeds the context; `UsageError` for a project that is named twice, `DatasetError` for another base.
    """
    base = project.settings.read().student_base
    own, rows = _answers(project, base, tokenizer, allow_leaks=allow_leaks)
    taken: list[TaughtPrompt] = []
    for index, other in enumerate(others, start=1):
        _check_other(project, base, others[:index])
        try:
            taught, added = _answers(other, base, tokenizer, allow_leaks=allow_leaks)
        except DistillError as error:
            error.title = f"{other.name}: {error.title}"
            error.next += f" (there: --project {other.name})" if "distill-tui" in error.next else ""
            raise
        taken.append(replace(taught, project=_where(other, project)))
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


def _answers(
    project: Project, base: str, tokenizer: CompletionTokenizer, *, allow_leaks: bool
) -> tuple[TaughtPrompt, tuple[DatasetRow, ...]]:
    """One project's prompt with the rows of its accepted answers. Raises as `freeze` does."""
    with project.snapshot():
        prompt, rules = project.prompts.require(), project.rules.all()
        accepted_sha256 = project.examples.accepted_sha256(prompt.sha256)
        examples = project.examples.all(prompt.sha256)
        questions = project.questions.by_id()
    candidates = sort_out(examples, questions)
    for refusal in candidates.refused:
        raise _refused(refusal)
    if not candidates.any_to_train_on:
        raise DatasetError(
            "No accepted example can be trained on.",
            "A dataset needs accepted answers to questions of the train split.",
            "Generate answers and let the rules decide: distill-tui generate, then distill-tui curate check",
        )
    chosen = candidates.chosen
    findings = leaks_of(prompt, rules, chosen)
    refused = tuple(finding for finding in findings if finding.kind == "message" or not allow_leaks)
    if refused:
        raise LeakError(refused)
    builder = _Builder(prompt, base, rules, tokenizer)
    rows = tuple(builder.row(curated, question) for curated, question in chosen)
    asked = tuple(questions[number] for number in sorted({row.question_id for row in rows}))
    return TaughtPrompt(prompt, asked, rules, accepted_sha256=accepted_sha256), rows


def _check_other(project: Project, base: str, named: Sequence[Project]) -> None:
    """Whether the last of `named` can be taken in with those before it. Raises as `freeze` does."""
    *before, other = named
    if other.folder.resolve() in {each.folder.resolve() for each in (project, *before)}:
        raise UsageError(f"{other.name} is in already.", "Each project gives its answers once.", "Name it once.")
    if (theirs := other.settings.read().student_base) != base:
        raise DatasetError(
            "One adapter has one base.",
            f"{project.name} adapts {base}, {other.name} adapts {theirs}.",
            "Take in projects of the same base only.",
        )


def _where(other: Project, project: Project) -> str:
    """How `other` is found again: by its name in the home, else by its folder."""
    return other.name if other.folder == project.home.projects / other.name else str(other.folder)


def preview(project: Project, tokenizer: CompletionTokenizer | None) -> FreezePreview:
    """What `freeze` would do now, and everything that it would refuse; stores nothing.

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
            title = "A question brings its own system message."
            next_step = "Remove the question, or import it without its system message."
        case _:
            title = "A cut answer was accepted."
            next_step = f"Edit or reject it: distill-tui curate reject {refusal.example_id}"
    return DatasetError(
        title, f"Example {refusal.example_id} (question {refusal.question_id}): {refusal.words}.", next_step
    )


class _Builder:
    """Makes rows of one prompt with one tokenizer; a question's ids are made once for all its answers."""

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
        """The question's ids and the answer's. Raises `ContextError` where they exceed the context."""
        produced = self._produced(curated)
        tokenised = not produced or curated.answer != curated.example.answer
        completion = tuple(self._tokenizer.completion_ids(curated.answer)) if tokenised else produced
        if question.id not in self._question_ids:
            self._question_ids[question.id] = tuple(self._tokenizer.question_ids(question.messages))
        question_ids = self._question_ids[question.id]
        where = f"Example {curated.example.id} (question {question.id})"
        self._tokenizer.check_length([*question_ids, *completion], where)
        if produced:  # a local teacher scores this row behind the prompt
            if question.id not in self._prompted_ids:
                self._prompted_ids[question.id] = self._tokenizer.prompted_ids(self._prompt, question.messages)
            self._tokenizer.check_length([*self._prompted_ids[question.id], *completion], f"{where} behind the prompt")
        return question_ids, completion

    def _produced(self, curated: CuratedExample) -> tuple[int, ...]:
        """The ids that the student's own base produced; empty for any other teacher, whose ids mean nothing here."""
        example = curated.example
        local = example.teacher_kind == "local" and example.key.teacher == self._base
        return example.token_ids or () if local else ()

    def _fixed(self, completion: Sequence[int], question: Question) -> tuple[bool, ...]:
        # The checks read the decoded text, because the spans of tokens are counted in it.
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
