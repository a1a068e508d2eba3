"""What a person reviews: a window of the examples, and their decisions, carried out on the store's thread.

Each wish ends in one `ReviewRead`: the window as it stands after it, and the words that say what was done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from textual.message import Message
from textual.message_pump import MessagePump

from engine.curation.again import Asked, ask_again, asked
from engine.curation.decisions import accept, edit, flag, reject, unflag
from engine.project import Project
from engine.records.example import CuratedExample, ExampleState
from engine.records.rule import CheckResult, Rule
from engine.records.selection import Selection
from engine.store.decisions import MovedStep
from engine.store.examples import ExampleCounts
from tui.services.program import Program
from tui.services.store import StoreService

WINDOW = 100
_DONE = {
    "accept": "accepted",
    "reject": "rejected",
    "edit": "edited",
    "flag": "flagged",
    "unflag": "flags taken down",
    None: "decisions",
}


@dataclass(frozen=True, slots=True)
class Where:
    """Which examples are listed, and on which of them the cursor stands."""

    state: ExampleState | None = None
    search: str = ""
    cursor: int = 0  # from 0, in the list
    flagged: bool = False
    topic: str | None = None
    rule: int | None = None

    @property
    def selection(self) -> Selection:
        """The list in the store's words, for the current prompt where none is named."""
        return Selection(
            state=self.state,
            flagged=self.flagged or None,
            topic=self.topic,
            failing_rule=self.rule,
            search=self.search,
        )

    def same_list(self, other: "Where") -> bool:
        """Whether both list the same."""
        return replace(self, cursor=0) == replace(other, cursor=0)


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
    question_id: int = 0
    attempts: tuple[int, ...] = ()  # the numbers of all examples of this question, this one among them
    note: str | None = None  # of the flag; None: there is no flag


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A window of the list: `rows` from `offset` on, of `total`."""

    where: Where = field(default_factory=Where)
    rows: tuple[ReviewRow, ...] = ()
    offset: int = 0
    total: int = 0
    counts: ExampleCounts = field(default_factory=lambda: ExampleCounts(0, 0, 0, 0))
    rules: tuple[Rule, ...] = ()
    prompt_sha256: str = ""
    newest_id: int = 0  # of all examples: what comes later was not seen
    asked: Asked | None = None
    grows: bool = False  # a job is at the answers
    sent: bool = False  # the cursor was sent where it stands, by what was done


@dataclass
class ReviewRead(Message):
    """The list was read; `said` tells what was done before it, if anything."""

    page: ReviewPage
    said: str
    decided: int


@dataclass
class AttemptRead(Message):
    """Another attempt at a question was read."""

    row: ReviewRow


@dataclass
class FiltersRead(Message):
    """What a list can be narrowed to: topics with their questions, rules with the answers that break them."""

    topics: tuple[tuple[str, int], ...]
    rules: tuple[tuple[Rule, int], ...]


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

    def read(self, where: Where, go_to: int | None = None) -> None:
        """Read the window around the cursor, or around one example."""
        self._carry_out(where, lambda _project: _Done(go_to=go_to))

    def accept(self, where: Where, meant: Selection) -> None:
        """Accept what is meant; of many it is said how many that were."""

        def work(project: Project) -> _Done:
            done = accept(project, meant)
            said = f"Accepted {done.decided:,}." if _many(meant) else ""
            return _Done(said + (f" {done.left_out:,} were cut and stay as they are." if done.left_out else ""), 1)

        self._carry_out(where, work)

    def reject(self, where: Where, meant: Selection) -> None:
        """Reject what is meant."""

        def work(project: Project) -> _Done:
            count = reject(project, meant)
            return _Done(f"Rejected {count:,}." if _many(meant) else "", 1)

        self._carry_out(where, work)

    def flag(self, where: Where, meant: Selection, *, up: bool, note: str = "") -> None:
        """Put flags up with a note, or take them down."""

        def work(project: Project) -> _Done:
            count = flag(project, meant, note) if up else unflag(project, meant)
            said = f"Flagged {count:,}." if up else f"Took down {count:,} flag{'s' if count != 1 else ''}."
            return _Done(said if _many(meant) else "")

        self._carry_out(where, work)

    def again(self, where: Where, meant: Selection) -> None:
        """Ask the teacher again about what is meant."""

        def work(project: Project) -> _Done:
            job = ask_again(project, meant)
            return _Done(f"Asked again by job {job.id}. The old answer is rejected; the new one comes beside it.")

        self._carry_out(where, work)

    def edit(self, where: Where, example_id: int, answer: str) -> None:
        """Accept one example with other words."""

        def work(project: Project) -> _Done:
            broken = [result for result in edit(project, example_id, answer) if not result.passed]
            rules = ", ".join(str(result.rule_id) for result in broken)
            return _Done(f"Edited; it breaks rule {rules}." if broken else "Edited and accepted.", 1, example_id)

        self._carry_out(where, work)

    def undo(self, where: Where) -> None:
        """Take back the last step, and go to what it was about."""
        self._carry_out(where, lambda project: _moved(project.decisions.undo(), "Undone", "Nothing to undo."))

    def redo(self, where: Where) -> None:
        """Decide again what was taken back."""
        self._carry_out(where, lambda project: _moved(project.decisions.redo(), "Done again", "Nothing to redo."))

    def next_undecided(self, where: Where, after_id: int, *, backwards: bool = False) -> None:
        """Go to the next example of this list that nobody decided, or to the last one before."""

        def work(project: Project) -> _Done:
            prompt = project.prompts.current()
            if prompt is None or where.state in ("accepted", "rejected"):
                return _Done("Nothing in this list is undecided.")
            wanted = replace(where.selection, prompt_sha256=prompt.prompt.sha256, state="undecided")
            found = project.examples.next_after(after_id, wanted, backwards=backwards)
            if found is None:
                return _Done("Everything is decided." if where.same_list(Where()) else "Nothing here is undecided.")
            return _Done(go_to=found)

        self._carry_out(where, work)

    def check(self) -> None:
        """Let the rules decide what no person decided; ends in `CommandEnded`.

        In a process of its own: it reads every answer, and decisions of a person do not wait for it.
        """
        Program(self._store.folder, self._store.home, self._target).start("check", ["curate", "check"])

    def attempt(self, example_id: int) -> None:
        """Read another attempt at a question; ends in `AttemptRead`."""

        def work(project: Project) -> Message:
            curated = project.examples.get(example_id)
            key = curated.example.key
            attempts = project.examples.attempts([key.question_id], key.prompt_sha256)
            return AttemptRead(_row(project, curated, project.rules.all(), attempts))

        self._store.ask(work, self._target)

    def filters(self) -> None:
        """Read what a list can be narrowed to; ends in `FiltersRead`."""

        def work(project: Project) -> Message:
            prompt = project.prompts.current()
            broken = project.examples.broken_rules(prompt.prompt.sha256) if prompt is not None else {}
            rules = tuple((rule, broken.get(rule.id, 0)) for rule in project.rules.all())
            return FiltersRead(project.questions.topics(), rules)

        self._store.ask(work, self._target)

    def _carry_out(self, where: Where, work: Callable[[Project], _Done]) -> None:
        def whole(project: Project) -> Message:
            done = work(project)
            return ReviewRead(_page(project, where, done.go_to), done.said, done.decided)

        self._store.ask(whole, self._target)


def _many(meant: Selection) -> bool:
    """Whether more than one example may be meant: what is marked is said back, one key on one answer is not."""
    return meant != Selection(ids=meant.ids)


def _moved(step: MovedStep | None, did: str, nothing: str) -> _Done:
    if step is None:
        return _Done(nothing)
    return _Done(f"{did}: {step.decisions:,} {_DONE[step.verdict]}.", go_to=step.first_id)


def _page(project: Project, where: Where, go_to: int | None) -> ReviewPage:
    prompt = project.prompts.current()
    if prompt is None:
        return ReviewPage(where)
    sha256, table = prompt.prompt.sha256, project.examples
    listed = replace(where.selection, prompt_sha256=sha256)
    counts = table.counts(sha256)
    total = counts.total if where.same_list(Where()) else table.count(listed)
    cursor = where.cursor if go_to is None else table.position(go_to, listed)
    cursor = max(0, min(cursor, total - 1))
    offset = max(0, cursor - WINDOW // 2)
    rules = project.rules.all()
    rows = table.window(offset, WINDOW, listed)
    attempts = table.attempts([row.example.key.question_id for row in rows], sha256)
    return ReviewPage(
        replace(where, cursor=cursor),
        tuple(_row(project, curated, rules, attempts) for curated in rows),
        offset,
        total,
        counts,
        rules,
        sha256,
        table.newest_id(),
        asked(project, sha256),
        grows=any(job.stage == "examples" for job in project.jobs.live()),
        sent=go_to is not None,
    )


def _row(
    project: Project, curated: CuratedExample, rules: tuple[Rule, ...], attempts: dict[int, tuple[int, ...]]
) -> ReviewRow:
    question, example, checks = project.questions.get(curated.example.key.question_id), curated.example, None
    if curated.answer != example.answer:
        from engine.rules.checks import check_answer  # only edits are checked here; its library takes a moment

        checks = check_answer(rules, curated.answer, question)
    return ReviewRow(
        id=example.id,
        question=question.text,
        topic=question.topic,
        answer=curated.answer,
        generated=example.answer,
        state=curated.state,
        by_person=curated.decision is not None and curated.decision.source == "person",
        reason=curated.decision.reason if curated.decision is not None else "",
        checks=example.checks if checks is None else checks,
        question_id=question.id,
        attempts=attempts.get(question.id, ()),
        note=curated.flag.reason if curated.flag is not None else None,
    )
