"""The examples under review: a window of them, and decisions, on the store's thread.

Each request to the service ends in one `ReviewRead`: the window afterwards, and a message about what was done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from textual.message import Message
from textual.message_pump import MessagePump

from engine.curation.again import Asked, ask_again, asked
from engine.curation.decisions import accept, edit, flag, reject, unflag
from engine.curation.meaning import meant as with_prompt
from engine.curation.shown import checks_shown
from engine.project import Project
from engine.records.example import CuratedExample, ExampleCounts, ExampleState
from engine.records.rule import CheckResult, Rule
from engine.records.selection import Selection
from engine.store.decisions import MovedStep
from engine.wording import counted
from tui.services.program import Answer
from tui.services.store import StoreService
from tui.undoing import NOTHING_LEFT, redone, undone

WINDOW = 100
_DONE = {
    "accept": "accepted",
    "reject": "rejected",
    "edit": "edited",
    "flag": "flagged",
    "unflag": "flags removed",
    None: "decisions",
}


@dataclass(frozen=True, slots=True)
class Where:
    """Which examples are listed, and the position of the cursor."""

    state: ExampleState | None = None
    search: str = ""
    cursor: int = 0  # 0-based
    flagged: bool = False
    topic: str | None = None
    rule: int | None = None

    @property
    def selection(self) -> Selection:
        """The list as a selection for the store, of the current prompt unless one is named."""
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
    """One example under review. `checks` are of the current answer, edited or not."""

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
    attempts: tuple[int, ...] = ()  # the ids of all examples of this question, including this one
    note: str | None = None  # of the flag; None: not flagged


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A window of the list: `rows` from `offset`, of `total`."""

    where: Where = field(default_factory=Where)
    rows: tuple[ReviewRow, ...] = ()
    offset: int = 0
    total: int = 0
    counts: ExampleCounts = field(default_factory=lambda: ExampleCounts(0, 0, 0, 0))
    rules: tuple[Rule, ...] = ()
    prompt_sha256: str = ""
    newest_id: int = 0  # of all examples; later ones have not been seen
    asked: Asked | None = None
    grows: bool = False  # a job is adding answers
    sent: bool = False  # an action moved the cursor here
    older: int = 0  # answers to earlier versions of the prompt; counted while there is none to this one
    updates: bool = False  # the dataset was frozen for another version, so an update redoes only what changed
    version: tuple[int, int] = (0, 0)  # of the project when it was read


@dataclass
class ReviewRead(Message):
    """The list was read; `notice` reports what was just done, if anything.

    `page` is None if a newer request will be answered with one, or if nothing has changed. `looked_at`: the page was
    read although nobody asked for it, for a cursor that may have moved since.
    """

    page: ReviewPage | None
    notice: str = ""
    decided: int = 0
    edited: int = 0  # the example whose edited answer was stored
    looked_at: Where | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters: topics with their answers in the list, rules with those that fail them."""

    topics: tuple[tuple[str, int], ...]
    rules: tuple[tuple[Rule, int], ...]


@dataclass(frozen=True, slots=True)
class _Done:
    notice: str = ""
    decided: int = 0
    go_to: int | None = None  # an example's id
    edited: int = 0


class ReviewService:
    """The examples of one project. Every method returns at once; answers come as messages to `target`."""

    def __init__(self, store: StoreService, target: MessagePump) -> None:
        self._store = store
        self._target = target
        self._requests = 0  # so far

    def look(self, where: Where, example_id: int, seen: tuple[int, int]) -> None:
        """Read the window around this example if anybody has changed the project since version `seen`."""

        def work(project: Project) -> Message:
            changed = project.version != seen
            page = _page(project, where, example_id or None) if changed else None
            return ReviewRead(page, looked_at=where)

        self._store.post(work, self._target)

    def read(self, where: Where, go_to: int | None = None) -> None:
        """Read the window around the cursor, or around one example."""
        self._carry_out(where, lambda _project: _Done(go_to=go_to))

    def accept(self, where: Where, meant: Selection) -> None:
        """Accept the selection; report the number if it is more than one."""

        def work(project: Project) -> _Done:
            done = accept(project, meant)
            notice = f"Accepted {done.decided:,}." if _many(meant) else ""
            cut = f" Skipped {counted(done.left_out, 'answer')} that {'was' if done.left_out == 1 else 'were'} cut off."
            return _Done(f"{notice}{cut if done.left_out else ''}".strip(), 1)

        self._carry_out(where, work)

    def reject(self, where: Where, meant: Selection) -> None:
        """Reject the selection."""

        def work(project: Project) -> _Done:
            count = reject(project, meant)
            return _Done(f"Rejected {count:,}." if _many(meant) else "", 1)

        self._carry_out(where, work)

    def flag(self, where: Where, meant: Selection, *, up: bool, note: str = "") -> None:
        """Set flags with a note, or remove them."""

        def work(project: Project) -> _Done:
            count = flag(project, meant, note) if up else unflag(project, meant)
            notice = f"Flagged {count:,}." if up else f"Removed {counted(count, 'flag')}."
            return _Done(notice if _many(meant) else "")

        self._carry_out(where, work)

    def again(self, where: Where, meant: Selection) -> None:
        """Ask the teacher again for the selection."""

        def work(project: Project) -> _Done:
            job = ask_again(project, meant)
            return _Done(f"Job {job.id} will ask again. The old answer is rejected; the new one is added beside it.")

        self._carry_out(where, work)

    def edit(self, where: Where, example_id: int, answer: str) -> None:
        """Accept one example with an edited answer."""

        def work(project: Project) -> _Done:
            failing = ", ".join(str(each.rule_id) for each in edit(project, example_id, answer) if not each.passed)
            notice = f"Edited; it fails rule {failing}." if failing else "Edited and accepted."
            return _Done(notice, 1, example_id, example_id)

        self._carry_out(where, work)

    def undo(self, where: Where) -> None:
        """Undo the last step, and go to it."""
        self._carry_out(where, lambda project: _moved(project.decisions.undo(), undone, NOTHING_LEFT))

    def redo(self, where: Where) -> None:
        """Redo the last undone step."""
        self._carry_out(where, lambda project: _moved(project.decisions.redo(), redone, "Nothing to redo."))

    def next_undecided(self, where: Where, after_id: int, *, backwards: bool = False) -> None:
        """Go to the next undecided example of this list, or to the previous one."""

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

    def _carry_out(self, where: Where, work: Callable[[Project], _Done]) -> None:
        self._requests += 1
        number = self._requests

        def whole(project: Project) -> Message:
            done = work(project)
            wanted = number == self._requests or done.go_to is not None  # of quick ones only the last needs the list
            page = _page(project, where, done.go_to) if wanted else None
            return ReviewRead(page, done.notice, done.decided, done.edited)

        self._store.post(whole, self._target)


def read_attempt(project: Project, example_id: int) -> ReviewRow:
    """Read another attempt at a question."""
    curated = project.examples.get(example_id)
    key = curated.example.key
    attempts = project.examples.attempts([key.question_id], key.prompt_sha256)
    return _row(project, curated, project.rules.all(), attempts)


def read_filters(project: Project, where: Where) -> Filters:
    """Read the filters by topic and rule for this list."""
    listed = with_prompt(project, replace(where, topic=None, rule=None).selection)
    broken = project.examples.broken_rules(listed) if listed is not None else {}
    rules = tuple((rule, broken.get(rule.id, 0)) for rule in project.rules.all())
    return Filters(project.examples.topics(listed) if listed is not None else (), rules)


def check_words(answer: Answer) -> str:
    """What the rules decided."""
    return f"The rules accepted {answer['accepted']:,} and rejected {answer['rejected']:,}."


def _many(meant: Selection) -> bool:
    """Whether the selection may be more than one example: only then is the number reported."""
    return meant != Selection(ids=meant.ids)


def _moved(step: MovedStep | None, did: Callable[[str], str], nothing: str) -> _Done:
    if step is None:
        return _Done(nothing)
    return _Done(did(f"{step.decisions:,} {_DONE[step.verdict]}"), go_to=step.first_id)


def _page(project: Project, where: Where, go_to: int | None) -> ReviewPage:
    with project.snapshot():  # jobs add answers meanwhile
        prompt = project.prompts.current()
        if prompt is None:
            return ReviewPage(where, version=project.version)
        return _window(project, where, go_to, prompt.prompt.sha256)


def _window(project: Project, where: Where, go_to: int | None, sha256: str) -> ReviewPage:
    table = project.examples
    listed = replace(where.selection, prompt_sha256=sha256)
    counts = table.counts(sha256)
    total = counts.total if where.same_list(Where()) else table.count(listed)
    cursor = where.cursor if go_to is None else table.position(go_to, listed)
    cursor = max(0, min(cursor, total - 1))
    offset = max(0, cursor - WINDOW // 2)
    rules, frozen = project.rules.all(), project.datasets.latest()
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
        older=0 if counts.total else table.count(),
        updates=frozen is not None and frozen.prompt_sha256 != sha256,
        version=project.version,
    )


def _row(
    project: Project, curated: CuratedExample, rules: tuple[Rule, ...], attempts: dict[int, tuple[int, ...]]
) -> ReviewRow:
    question, example = project.questions.get(curated.example.key.question_id), curated.example
    return ReviewRow(
        id=example.id,
        question=question.text,
        topic=question.topic,
        answer=curated.answer,
        generated=example.answer,
        state=curated.state,
        by_person=curated.decision is not None and curated.decision.source == "person",
        reason=curated.decision.reason if curated.decision is not None else "",
        checks=checks_shown(rules, curated, question),
        question_id=question.id,
        attempts=attempts.get(question.id, ()),
        note=curated.flag.reason if curated.flag is not None else None,
    )
