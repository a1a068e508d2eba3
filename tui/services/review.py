"""What a person reviews: a window of the examples, and their decisions, carried out on the store's thread.

Each wish ends in one `ReviewRead`: the window as it stands after it, and the words that say what was done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from textual.message import Message
from textual.message_pump import MessagePump

from engine.curation.automatic import check_examples
from engine.curation.decisions import Selection, accept, edit, reject, select
from engine.project import Project
from engine.records.example import CuratedExample, ExampleState
from engine.records.rule import CheckResult, Rule
from engine.rules.checks import check_answer
from tui.services.facts import ExampleCounts
from tui.services.store import StoreService

WINDOW = 200


@dataclass(frozen=True, slots=True)
class Where:
    """Which examples are listed, and on which of them the cursor stands."""

    state: ExampleState | None = None
    search: str = ""
    cursor: int = 0  # from 0, in the list


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One example as it is reviewed. `checks` are of the answer as it stands, edited or not."""

    id: int
    question: str
    topic: str
    answer: str
    generated: str
    state: ExampleState
    by_person: bool
    reason: str
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A window of the list: `rows` from `offset` on, of `total`."""

    where: Where = field(default_factory=Where)
    rows: tuple[ReviewRow, ...] = ()
    offset: int = 0
    total: int = 0
    counts: ExampleCounts = field(default_factory=ExampleCounts)
    rules: tuple[Rule, ...] = ()


class ReviewRead(Message):
    """The list was read; `said` tells what was done before it, if anything."""

    def __init__(self, page: ReviewPage, said: str, decided: int) -> None:
        super().__init__()
        self.page = page
        self.said = said
        self.decided = decided


@dataclass(frozen=True, slots=True)
class _Done:
    said: str = ""
    decided: int = 0
    go_to: int | None = None  # an example's number


class ReviewService:
    """The examples of one project. Every method returns at once; answers come as messages to `target`."""

    def __init__(self, store: StoreService, target: MessagePump) -> None:
        self._store = store
        self._target = target

    def read(self, where: Where) -> None:
        """Read the window around the cursor."""
        self._carry_out(where, lambda _project: _Done())

    def accept(self, where: Where, example_id: int) -> None:
        """Accept one example."""
        self._carry_out(
            where, lambda project: _Done(decided=accept(project, select(project, Selection(ids=(example_id,)))))
        )

    def reject(self, where: Where, example_id: int) -> None:
        """Reject one example."""
        self._carry_out(
            where, lambda project: _Done(decided=reject(project, select(project, Selection(ids=(example_id,)))))
        )

    def edit(self, where: Where, example_id: int, answer: str) -> None:
        """Accept one example with other words."""

        def work(project: Project) -> _Done:
            broken = [result for result in edit(project, example_id, answer) if not result.passed]
            rules = ", ".join(str(result.rule_id) for result in broken)
            return _Done(f"Edited; it breaks rule {rules}." if broken else "Edited and accepted.", 1, example_id)

        self._carry_out(where, work)

    def undo(self, where: Where) -> None:
        """Take back the last step of decisions."""
        self._carry_out(where, lambda project: _moved(project.decisions.undo(), "Took back", "Nothing to undo."))

    def redo(self, where: Where) -> None:
        """Decide again what was taken back."""
        self._carry_out(where, lambda project: _moved(project.decisions.redo(), "Decided again:", "Nothing to redo."))

    def next_undecided(self, where: Where, after_id: int) -> None:
        """Go to the next example that nobody decided."""

        def work(project: Project) -> _Done:
            prompt = project.prompts.current()
            found = project.examples.next_undecided(after_id, prompt.prompt.sha256) if prompt else None
            return _Done("Everything is decided.") if found is None else _Done(go_to=found)

        self._carry_out(where, work)

    def check(self, where: Where) -> None:
        """Let the rules decide what no person decided."""

        def work(project: Project) -> _Done:
            counts = check_examples(project)
            return _Done(f"The rules accepted {counts.accepted} and rejected {counts.rejected}.")

        self._carry_out(where, work)

    def _carry_out(self, where: Where, work: Callable[[Project], _Done]) -> None:
        def whole(project: Project) -> Message:
            done = work(project)
            return ReviewRead(_page(project, where, done.go_to), done.said, done.decided)

        self._store.ask(whole, self._target)


def _moved(count: int | None, did: str, nothing: str) -> _Done:
    return _Done(nothing if count is None else f"{did} {count} decision{'s' if count != 1 else ''}.")


def _page(project: Project, where: Where, go_to: int | None) -> ReviewPage:
    prompt = project.prompts.current()
    if prompt is None:
        return ReviewPage(where)
    sha256, table = prompt.prompt.sha256, project.examples
    total = table.count(where.state, where.search, sha256)
    cursor = where.cursor
    if go_to is not None:
        cursor = table.position(go_to, where.state, where.search, sha256)
    cursor = max(0, min(cursor, total - 1))
    offset = max(0, cursor - WINDOW // 2)
    rules = project.rules.all()
    rows = table.window(offset, WINDOW, where.state, where.search, sha256)
    counts = table.counts(sha256)
    return ReviewPage(
        Where(where.state, where.search, cursor),
        tuple(_row(project, curated, rules) for curated in rows),
        offset,
        total,
        ExampleCounts(counts.total, counts.accepted, counts.rejected, counts.undecided),
        rules,
    )


def _row(project: Project, curated: CuratedExample, rules: tuple[Rule, ...]) -> ReviewRow:
    question, example = project.questions.get(curated.example.key.question_id), curated.example
    edited = curated.answer != example.answer
    return ReviewRow(
        id=example.id,
        question=question.text,
        topic=question.topic,
        answer=curated.answer,
        generated=example.answer,
        state=curated.state,
        by_person=curated.decision is not None and curated.decision.source == "person",
        reason=curated.decision.reason if curated.decision is not None else "",
        checks=check_answer(rules, curated.answer, question) if edited else example.checks,
    )
