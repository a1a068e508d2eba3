"""The questions of a project: a window of the list, and what a person does to it, carried out on the store's thread.

What takes long or needs a library of weight (reading files, finding near twins, drawing splits) is a command of the
program in a process of its own: it is asked for a preview first, and what it printed is read here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from textual.message import Message
from textual.message_pump import MessagePump

from engine.project import Project
from engine.records.question import Question, QuestionFilter, Split
from engine.store.questions import RemovedQuestion as RemovedQuestion
from engine.store.questions import TopicCounts as TopicCounts
from engine.wording import counted
from tui.keys import key_of
from tui.services.program import Answer, Program
from tui.services.store import StoreService

WINDOW = 200
PAIRS_SHOWN = 2_000
LOOK, IMPORT, TWINS, DRAW, SPLIT = "look at a file", "import", "find twins", "draw splits", "split"


@dataclass(frozen=True, slots=True)
class Where:
    """Which questions are listed, and on which of them the cursor stands."""

    listed: QuestionFilter = field(default_factory=QuestionFilter)
    cursor: int = 0  # from 0, in the list


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question, and how many answers to it the current prompt has."""

    question: Question
    answers: int = 0


@dataclass(frozen=True, slots=True)
class QuestionsPage:
    """A window of the list: `rows` from `offset` on, of `total`; and how many questions each split has."""

    where: Where = Where()
    rows: tuple[QuestionRow, ...] = ()
    offset: int = 0
    total: int = 0
    splits: Mapping[Split | None, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, so that it can be taken back: questions that came, went, or were given a split."""

    words: str
    removed: tuple[RemovedQuestion, ...] = ()
    added_at: str = ""
    split_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would store: the first of it, how many in all, and each line that it would refuse."""

    source: str
    added: int
    duplicates: int
    refused: tuple[tuple[int, str], ...]
    notes: tuple[str, ...]
    first: tuple[tuple[str, str, int], ...]  # topic, text, messages


@dataclass(frozen=True, slots=True)
class Pair:
    """A question that repeats an earlier one, and how like they are, 0 to 1."""

    kept: Question
    dropped: Question
    likeness: float


@dataclass(frozen=True, slots=True)
class SplitPreview:
    """Where each topic would go; `drawn` questions have no split yet."""

    drawn: int
    topics: tuple[TopicCounts, ...]


@dataclass
class QuestionsRead(Message):
    """The list was read; `said` tells what was done before it, and `step` takes it back."""

    page: QuestionsPage
    asked: int
    said: str = ""
    step: Step | None = None


@dataclass
class TopicsRead(Message):
    """The topics were read, with their questions by split."""

    topics: tuple[TopicCounts, ...]


@dataclass
class AnswersStand(Message):
    """Questions that are to be deleted have answers, which nothing would bring back: nothing was done."""

    ids: tuple[int, ...]
    answers: int


@dataclass
class NewestFound(Message):
    """The questions that came last from one source, with the answers that they have."""

    ids: tuple[int, ...]
    source: str
    answers: int


@dataclass
class IdsRead(Message):
    """The numbers of a part of the list."""

    ids: tuple[int, ...]


@dataclass
class RangeRead(Message):
    """The numbers of what lies in an open range."""

    ids: tuple[int, ...]


@dataclass
class UnsplitRead(Message):
    """The numbers of the questions that have no split."""

    ids: tuple[int, ...]


@dataclass
class PairsRead(Message):
    """Near twins with their words; `total` may be more than are shown."""

    pairs: tuple[Pair, ...]
    total: int


class QuestionsService:
    """The questions of one project. Every method returns at once; answers come as messages to `target`.

    Commands end in `CommandEnded` with the names above. `asked` numbers what is asked for.
    """

    def __init__(self, store: StoreService, target: MessagePump) -> None:
        self._store = store
        self._target = target
        self._program = Program(store.folder, store.home, target)

    def read(self, where: Where, asked: int, said: str = "", step: Step | None = None) -> None:
        """Read the window around the cursor."""
        self._store.ask(lambda project: QuestionsRead(_page(project, where), asked, said, step), self._target)

    def read_topics(self) -> None:
        """Read the topics; ends in `TopicsRead`."""
        self._store.ask(lambda project: TopicsRead(project.questions.topic_splits()), self._target)

    def read_ids(self, listed: QuestionFilter, offset: int, limit: int | None) -> None:
        """Read the numbers of a part of the list; ends in `IdsRead`."""
        self._store.ask(lambda project: IdsRead(project.questions.ids(listed, offset, limit)), self._target)

    def read_range(self, listed: QuestionFilter, offset: int, limit: int) -> None:
        """Read the numbers of a range that is acted on; ends in `RangeRead`."""
        self._store.ask(lambda project: RangeRead(project.questions.ids(listed, offset, limit)), self._target)

    def read_unsplit(self) -> None:
        """Read which questions have no split; ends in `UnsplitRead`."""
        unsplit = QuestionFilter("unsplit")
        self._store.ask(lambda project: UnsplitRead(project.questions.ids(unsplit)), self._target)

    def add(self, where: Where, asked: int, question: Question) -> None:
        """Store one question."""

        def work(project: Project) -> Message:
            added = project.questions.add([question])
            if not added.added:
                return QuestionsRead(_page(project, where), asked, "This question is there already.")
            step = Step("the new question", added_at=added.at)
            return QuestionsRead(
                _page(project, where), asked, f"Added. {key_of('questions.undo')} takes it back.", step
            )

        self._store.ask(work, self._target)

    def remove(self, where: Where, asked: int, ids: Sequence[int], *, with_answers: bool = False) -> None:
        """Delete questions; ends in `QuestionsRead`, or in `AnswersStand` where some have answers and may not go."""

        def work(project: Project) -> Message:
            answers = sum(project.questions.examples_of(ids).values())
            if answers and not with_answers:
                return AnswersStand(tuple(ids), answers)
            removed = project.questions.take_out(ids)
            lost = f", without {answers:,} answers" if answers else ""
            back = f"{key_of('questions.undo')} brings back the questions{lost}"
            said = f"Deleted {counted(len(removed), 'question')}. {back}."
            return QuestionsRead(_page(project, where), asked, said, Step("the deletion", removed=removed))

        self._store.ask(work, self._target)

    def find_newest(self) -> None:
        """Find what came last; ends in `NewestFound`."""

        def work(project: Project) -> Message:
            ids = project.questions.newest_of_one_source()
            source = project.questions.get(ids[-1]).source if ids else ""
            return NewestFound(ids, source, sum(project.questions.examples_of(ids).values()))

        self._store.ask(work, self._target)

    def take_back(self, where: Where, asked: int, steps: list[Step]) -> None:
        """Undo the last of these steps; ends in `QuestionsRead`, or in `AnswersStand` where answers would go with it.

        It is one no more once it is undone, and not before: what fails can be tried again.
        """

        def work(project: Project) -> Message:
            table = project.questions
            if not steps:
                return QuestionsRead(_page(project, where), asked, "There is nothing more to take back.")
            step = steps[-1]
            if step.removed:
                said = f"{counted(table.put_back(step.removed), 'question')} brought back."
            elif step.split_ids:
                answered = table.examples_of(step.split_ids)
                free = set(step.split_ids) - answered.keys()
                table.set_splits({id: None for id in table.ids() if id in free})
                kept = f" {len(answered):,} that are answered keep theirs." if answered else ""
                said = f"The splits are taken back.{kept}"
            else:
                ids = table.ids_added(step.added_at)
                answers = sum(table.examples_of(ids).values())
                if answers:
                    return AnswersStand(ids, answers)
                said = f"Took back {step.words}: {counted(table.remove(ids), 'question')}."
            steps.remove(step)
            return QuestionsRead(_page(project, where), asked, said)

        self._store.ask(work, self._target)

    def look_at_file(self, words: Sequence[str]) -> None:
        """See what an import of these words would store."""
        self._program.start(LOOK, ["questions", "import", *words, "--dry-run"])

    def import_file(self, words: Sequence[str]) -> None:
        """Store it."""
        self._program.start(IMPORT, ["questions", "import", *words])

    def find_twins(self) -> None:
        """Look for questions that repeat earlier ones."""
        self._program.start(TWINS, ["questions", "dedupe", "--dry-run"])

    def draw_splits(self, words: Sequence[str]) -> None:
        """See where each topic would go."""
        self._program.start(DRAW, ["questions", "split", *words, "--dry-run"])

    def split(self, words: Sequence[str]) -> None:
        """Give every question without a split one."""
        self._program.start(SPLIT, ["questions", "split", *words])

    def read_pairs(self, answer: Answer) -> None:
        """Read the words of near twins; ends in `PairsRead`."""
        found = _objects(answer, "pairs")

        def work(project: Project) -> Message:
            pairs: list[Pair] = []
            for row in found[:PAIRS_SHOWN]:
                kept, dropped = (project.questions.get(whole(row, name)) for name in ("kept", "dropped"))
                pairs.append(Pair(kept, dropped, float(str(row["similarity"]))))
            return PairsRead(tuple(pairs), len(found))

        self._store.ask(work, self._target)


def read_preview(source: str, answer: Answer) -> ImportPreview:
    """What the command printed about an import."""
    return ImportPreview(
        source=source,
        added=whole(answer, "added"),
        duplicates=whole(answer, "duplicates"),
        refused=tuple((whole(row, "line"), str(row["reason"])) for row in _objects(answer, "refused")),
        notes=tuple(map(str, cast("list[object]", answer["notes"]))),
        first=tuple((str(row["topic"]), str(row["text"]), whole(row, "turns")) for row in _objects(answer, "first")),
    )


def read_splits(answer: Answer) -> SplitPreview:
    """What the command printed about splits."""
    names: tuple[Split, ...] = ("train", "validation", "test")
    topics = tuple(
        TopicCounts(str(row["topic"]), {name: whole(row, name) for name in names}) for row in _objects(answer, "topics")
    )
    return SplitPreview(whole(answer, "drawn"), topics)


def whole(row: Mapping[str, object], name: str) -> int:
    """A whole number of a printed object."""
    return int(str(row[name]))


def _objects(answer: Answer, name: str) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", answer[name])


def _page(project: Project, where: Where) -> QuestionsPage:
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
