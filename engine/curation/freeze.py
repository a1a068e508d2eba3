"""Freezes the accepted examples into a dataset: prompt-free token ids, made once, named by their content.

Ids that a local teacher produced stay as they were; all other text is tokenised here. Rows that repeat the prompt,
exceed the context or belong to the test split never get in. Knows the tokenizer only by what it must do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from engine.curation.leak import RowText, find_leaks
from engine.errors import DatasetError
from engine.project import Project
from engine.records.dataset import Dataset, DatasetRow, LeakFinding
from engine.records.example import CuratedExample
from engine.records.prompt import Message, Prompt
from engine.records.question import Question
from engine.records.rule import Rule, Span
from engine.rules.checks import check_answer
from engine.store.clock import now_text
from engine.store.datasets import dataset_sha256

_TRAINED = ("train", "validation")
_LITERAL_CHECKS = ("starts_with", "ends_with", "contains", "label")
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
            f"{len(findings)} passages of the prompt stand in the examples.",
            f"{shown}{more}.",
            "Edit or reject these examples: a whole message of the prompt is never trained on."
            if whole
            else "Edit or reject these examples, or freeze with --allow-leaks if the student may repeat them.",
        )
        self.findings = findings


def freeze(project: Project, tokenizer: CompletionTokenizer, *, allow_leaks: bool = False) -> Dataset:
    """Build, store and return the dataset of the current prompt's accepted train and validation examples.

    The same accepted answers give the same dataset, whenever it is frozen. Raises `DatasetError` without accepted
    rows or for a question without split or with a system message, `LeakError` for a repeated message of the prompt,
    or for words of its system message unless `allow_leaks`, and `ContextError` for a row that exceeds the context.
    """
    version = project.prompts.current()
    if version is None:
        raise DatasetError("There is no prompt.", f"Project {project.name}.", "Set one: distill-tui prompt set FILE")
    prompt = version.prompt
    with project.snapshot():
        accepted_sha256 = project.examples.accepted_sha256(prompt.sha256)
        examples = project.examples.all(prompt.sha256)
    base = project.settings.read().student_base
    rules = project.rules.all()
    questions = {question.id: question for question in project.questions.all()}
    chosen = _chosen(examples, questions)
    if not chosen:
        raise DatasetError(
            "No accepted example can be trained on.",
            "A dataset needs accepted answers to questions of the train split.",
            "Generate answers and let the rules decide: distill-tui generate, then distill-tui curate check",
        )
    findings = leaks_of(prompt, rules, chosen)
    refused = tuple(finding for finding in findings if finding.kind == "message" or not allow_leaks)
    if refused:
        raise LeakError(refused)
    rows = tuple(_Builder(prompt, base, rules, tokenizer).row(curated, question) for curated, question in chosen)
    dataset = Dataset(
        sha256=dataset_sha256(prompt.sha256, base, rows),
        prompt_sha256=prompt.sha256,
        base=base,
        rows=rows,
        created_at=now_text(),
    )
    project.datasets.add(dataset, accepted_sha256)
    return dataset


def leaks_of(
    prompt: Prompt, rules: Sequence[Rule], chosen: Iterable[tuple[CuratedExample, Question]]
) -> tuple[LeakFinding, ...]:
    """What of the prompt stands in these rows, beyond what the rules dictate word for word."""
    literal = [rule for rule in rules if rule.check.kind in _LITERAL_CHECKS]  # a pattern may span any text at all
    return find_leaks(
        prompt,
        (
            RowText(
                curated.example.id,
                question.id,
                tuple(message.content for message in question.messages),
                curated.answer,
                tuple(span for result in check_answer(literal, curated.answer, question) for span in result.fixed),
            )
            for curated, question in chosen
        ),
    )


def _chosen(
    examples: Sequence[CuratedExample], questions: Mapping[int, Question]
) -> list[tuple[CuratedExample, Question]]:
    """Accepted examples of trained splits in the order they were stored, one for each (question, answer)."""
    chosen: list[tuple[CuratedExample, Question]] = []
    seen: set[tuple[int, str]] = set()
    for curated in sorted(examples, key=lambda curated: curated.example.id):
        question = questions.get(curated.example.key.question_id)
        if not curated.accepted or question is None or question.split == "test":
            continue
        if question.split not in _TRAINED:
            raise DatasetError(
                "A question has no split.",
                f"Question {question.id}, answered by example {curated.example.id}.",
                "Split the questions first: distill-tui questions split",
            )
        if any(message.role == "system" for message in question.messages):
            raise DatasetError(
                "A question brings its own system message.",
                f"Question {question.id}; the student is trained without any.",
                "Remove the question, or import it without its system message.",
            )
        if curated.answer == curated.example.answer and curated.example.finish_reason != "stop":
            raise DatasetError(
                "A cut answer was accepted.",
                f"Example {curated.example.id} ended by {curated.example.finish_reason.replace('_', ' ')}.",
                f"Edit or reject it: distill-tui curate reject {curated.example.id}",
            )
        if (question.id, curated.answer) not in seen:
            seen.add((question.id, curated.answer))
            chosen.append((curated, question))
    if not any(question.split == "train" for _, question in chosen):
        return []
    return chosen


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
        produced = self._produced(curated)
        edited = curated.answer != curated.example.answer
        tokenised = edited or not produced
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
        return DatasetRow(
            example_id=curated.example.id,
            question_id=question.id,
            split=question.split or "train",
            question_ids=question_ids,
            completion_ids=completion,
            edited_from=_first_difference(produced, completion),
            fixed=self._fixed(completion, question),
        )

    def _produced(self, curated: CuratedExample) -> tuple[int, ...]:
        """The ids that the student's own base produced; empty for any other teacher, whose ids mean nothing here."""
        example = curated.example
        local = example.teacher_kind == "local" and example.key.teacher == self._base
        return example.token_ids or () if local else ()

    def _fixed(self, completion: Sequence[int], question: Question) -> tuple[bool, ...]:
        # The checks read the decoded text, because the spans of tokens are counted in it.
        answer = self._tokenizer.decode(completion)
        dictated = [span for result in check_answer(self._rules, answer, question) for span in result.fixed]
        return tuple(_overlaps(start, end, dictated) for start, end in self._tokenizer.token_spans(completion))


def _overlaps(start: int, end: int, spans: Sequence[Span]) -> bool:
    return any(start < span.end and span.start < end for span in spans)


def _first_difference(produced: Sequence[int], completion: Sequence[int]) -> int:
    same = 0
    for before, after in zip(produced, completion, strict=False):
        if before != after:
            break
        same += 1
    return same
