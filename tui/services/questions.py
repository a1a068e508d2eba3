"""The questions of a project: a window of the list, and changes to it, on the store's thread.

What is slow or needs a heavy library (reading files, finding near-duplicates, drawing splits) is a command of the
program in a separate process: it makes a preview first, which is parsed here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from engine.project import Project
from engine.records.question import Question, QuestionFilter, Split
from engine.store.questions import RemovedQuestion as RemovedQuestion
from engine.store.questions import TopicCounts as TopicCounts
from engine.wording import counted
from tui.services.program import Answer
from tui.undoing import NOTHING_LEFT, offer, undone

WINDOW = 200
PAIRS_SHOWN = 2_000
IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Where:
    """Which questions are listed, and the position of the cursor."""

    listed: QuestionFilter = field(default_factory=QuestionFilter)
    cursor: int = 0  # 0-based


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question, and how many answers it has from the current prompt."""

    question: Question
    answers: int = 0


@dataclass(frozen=True, slots=True)
class QuestionsPage:
    """A window of the list: `rows` from `offset`, of `total`; and the number of questions per split."""

    where: Where = Where()
    rows: tuple[QuestionRow, ...] = ()
    offset: int = 0
    total: int = 0
    splits: Mapping[Split | None, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """An undoable step: questions that were added, removed, or given a split."""

    words: str  # “deleting”, as in “Undone: deleting 3 questions.”
    removed: tuple[RemovedQuestion, ...] = ()
    added_at: str = ""
    split_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would store: the first few, the total, and each line it would reject."""

    source: str
    added: int
    duplicates: int
    refused: tuple[tuple[int, str], ...]
    notes: tuple[str, ...]
    first: tuple[tuple[str, str, int], ...]  # topic, text, messages


@dataclass(frozen=True, slots=True)
class Pair:
    """A question that repeats an earlier one, and their similarity, 0 to 1."""

    kept: Question
    dropped: Question
    likeness: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Near-duplicates; `total` may be more than are shown."""

    shown: tuple[Pair, ...]
    total: int


@dataclass(frozen=True, slots=True)
class SplitPreview:
    """The split of each topic; `drawn` questions have none yet."""

    drawn: int
    topics: tuple[TopicCounts, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What was just done, in words; `step` undoes it."""

    notice: str
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class AnswersStand:
    """Questions to be deleted have answers that undo cannot restore: nothing was done."""

    ids: tuple[int, ...]
    answers: int


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest questions from one source, and how many answers they have."""

    ids: tuple[int, ...]
    source: str
    answers: int


ChangeWork = Callable[[Project], Change | AnswersStand]


def add(project: Project, question: Question) -> Change:
    """Store one question."""
    added = project.questions.add([question])
    if not added.added:
        return Change("This question already exists.")
    return Change(f"Added 1 question. {offer('questions.undo')}", Step("adding", added_at=added.at))


def remove(project: Project, ids: Sequence[int], *, with_answers: bool = False) -> Change | AnswersStand:
    """Delete questions, unless answers would be lost unasked."""
    answers = sum(project.questions.examples_of(ids).values())
    if answers and not with_answers:
        return AnswersStand(tuple(ids), answers)
    removed = project.questions.take_out(ids)
    lost = f" and {counted(answers, 'answer')}; the answers do not come back" if answers else ""
    notice = f"Deleted {counted(len(removed), 'question')}{lost}. {offer('questions.undo')}"
    return Change(notice, Step("deleting", removed=removed))


def find_newest(project: Project) -> Newest:
    """Find the newest questions."""
    ids = project.questions.newest_of_one_source()
    source = project.questions.get(ids[-1]).source if ids else ""
    return Newest(ids, source, sum(project.questions.examples_of(ids).values()))


def take_back(project: Project, steps: list[Step]) -> Change | AnswersStand:
    """Undo the last of these steps, unless answers would be lost.

    A step is removed only once it is undone: what fails can be tried again.
    """
    table = project.questions
    if not steps:
        return Change(NOTHING_LEFT)
    step = steps[-1]
    if step.removed:
        notice = undone(f"{step.words} {counted(table.put_back(step.removed), 'question')}")
    elif step.split_ids:
        answered = table.examples_of(step.split_ids)
        free = set(step.split_ids) - answered.keys()
        table.set_splits({id: None for id in table.ids() if id in free})
        kept = f" {len(answered):,} answered ones keep theirs." if answered else ""
        notice = f"{undone(step.words)}{kept}"
    else:
        ids = table.ids_added(step.added_at)
        answers = sum(table.examples_of(ids).values())
        if answers:
            return AnswersStand(ids, answers)
        notice = undone(f"{step.words} {counted(table.remove(ids), 'question')}")
    steps.remove(step)
    return Change(notice)


def read_pairs(project: Project, answer: Answer) -> Pairs:
    """Read the texts of the near-duplicates that the command found."""
    found = _objects(answer, "pairs")
    pairs: list[Pair] = []
    for row in found[:PAIRS_SHOWN]:
        kept, dropped = (project.questions.get(whole(row, name)) for name in ("kept", "dropped"))
        pairs.append(Pair(kept, dropped, float(str(row["similarity"]))))
    return Pairs(tuple(pairs), len(found))


def read_preview(source: str, answer: Answer) -> ImportPreview:
    """Parse the command's preview of an import."""
    return ImportPreview(
        source=source,
        added=whole(answer, "added"),
        duplicates=whole(answer, "duplicates"),
        refused=tuple((whole(row, "line"), str(row["reason"])) for row in _objects(answer, "refused")),
        notes=_notes(answer),
        first=tuple((str(row["topic"]), str(row["text"]), whole(row, "turns")) for row in _objects(answer, "first")),
    )


def stored_words(answer: Answer) -> str:
    """How many questions an import stored."""
    return f"{counted(whole(answer, 'added'), 'question')} stored."


def read_splits(answer: Answer) -> SplitPreview:
    """Parse the command's preview of splits."""
    names: tuple[Split, ...] = ("train", "validation", "test")
    topics = tuple(
        TopicCounts(str(row["topic"]), {name: whole(row, name) for name in names}) for row in _objects(answer, "topics")
    )
    return SplitPreview(whole(answer, "drawn"), topics, _notes(answer))


def whole(row: Mapping[str, object], name: str) -> int:
    """An integer field of a printed object."""
    return int(str(row[name]))


def _notes(answer: Answer) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", answer["notes"])))


def _objects(answer: Answer, name: str) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", answer[name])


def read_page(project: Project, where: Where) -> QuestionsPage:
    """Read the window around the cursor."""
    table = project.questions
    with project.snapshot():
        total = table.matching(where.listed)
        cursor = max(0, min(where.cursor, total - 1))
        offset = max(0, min(cursor - WINDOW // 2, total - WINDOW))
        questions = table.window(offset, WINDOW, where.listed)
        version = project.prompts.current()
        answers = table.examples_of([q.id for q in questions], version.prompt.sha256) if version is not None else {}
        return QuestionsPage(
            where=Where(where.listed, cursor),
            rows=tuple(QuestionRow(question, answers.get(question.id, 0)) for question in questions),
            offset=offset,
            total=total,
            splits=table.split_counts(),
        )
