"""Past datasets, what would be frozen as the program's own `curate freeze` prints it, and rejecting what cannot be.

The command reads a tokenizer and every accepted answer, which would block a drawing process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.message import Message
from textual.message_pump import MessagePump

from engine.curation.decisions import reject
from engine.project import Project
from engine.records.dataset import DatasetSummary, FreezePreview
from engine.records.selection import Selection
from engine.store.dataclass_json import build
from tui.services.program import Answer
from tui.services.store import StoreService

FREEZE = "freeze"
_TEXTS_READ = 200


@dataclass(frozen=True, slots=True)
class Frozen:
    """A past dataset, with its prompt version and the runs trained on it."""

    summary: DatasetSummary
    prompt_version: int  # 0: that version no longer exists
    runs: tuple[int, ...]


@dataclass
class DatasetRead(Message):
    """The datasets, newest first, with the preview and the texts of its questions by id."""

    history: tuple[Frozen, ...]
    preview: FreezePreview | None
    questions: Mapping[int, str]


@dataclass
class RefusedRejected(Message):
    """Examples that could not be frozen were rejected."""

    count: int


class DatasetService:
    """The datasets of one project. Every method returns at once; answers come as messages to `target`."""

    def __init__(self, store: StoreService, target: MessagePump) -> None:
        self._store = store
        self._target = target

    def read(self, looked: Answer | None = None) -> None:
        """Read the datasets and, given what would be frozen, the texts of its questions."""

        def work(project: Project) -> Message:
            preview = build(FreezePreview, looked) if looked is not None else None
            numbers = {refusal.question_id for refusal in preview.refused[:_TEXTS_READ]} if preview else set()
            return DatasetRead(
                _history(project), preview, {number: project.questions.get(number).text for number in numbers}
            )

        self._store.post(work, self._target)

    def reject(self, ids: Sequence[int]) -> None:
        """Reject examples that cannot be frozen, as one undoable step."""
        meant = Selection(ids=tuple(dict.fromkeys(ids)))
        self._store.post(
            lambda project: RefusedRejected(reject(project, meant, "cannot be frozen as it stands")), self._target
        )


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
