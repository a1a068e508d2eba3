"""Past datasets, what would be frozen as the program's own `curate freeze` prints it, and rejecting what cannot be.

The command reads a tokenizer and every accepted answer, which would block a drawing process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.curation.decisions import reject
from engine.project import Project
from engine.records.dataset import DatasetSummary, FreezePreview
from engine.records.selection import Selection
from engine.store.dataclass_json import build
from tui.services.program import Answer

FREEZE = "freeze"
_TEXTS_READ = 200


@dataclass(frozen=True, slots=True)
class Frozen:
    """A past dataset, with its prompt version and the runs trained on it."""

    summary: DatasetSummary
    prompt_version: int  # 0: that version no longer exists
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """The datasets, newest first; what would be frozen now, if that is known, with the texts of its questions by id."""

    history: tuple[Frozen, ...]
    preview: FreezePreview | None
    questions: Mapping[int, str]


def read_page(project: Project, looked: Answer | None = None) -> DatasetPage:
    """Read the datasets and, given the command's answer, what would be frozen."""
    preview = build(FreezePreview, looked) if looked is not None else None
    numbers = {refusal.question_id for refusal in preview.refused[:_TEXTS_READ]} if preview else set()
    return DatasetPage(_history(project), preview, {number: project.questions.get(number).text for number in numbers})


def reject_refused(project: Project, ids: Sequence[int]) -> int:
    """Reject examples that cannot be frozen, as one undoable step; returns how many."""
    return reject(project, Selection(ids=tuple(dict.fromkeys(ids))), "cannot be frozen as it stands")


def frozen_words(answer: Answer) -> str:
    """What was frozen."""
    return f"Frozen: {answer['train']} train rows, {answer['validation']} validation rows."


def _history(project: Project) -> tuple[Frozen, ...]:
    versions = {version.prompt.sha256: version.version for version in project.prompts.versions()}
    runs = project.runs.all()
    return tuple(
        Frozen(
            summary,
            versions.get(summary.prompt_sha256, 0),
            tuple(run.id for run in runs if run.dataset_sha256 == summary.sha256),
        )
        for summary in reversed(project.datasets.all())
    )
