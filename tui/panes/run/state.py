"""What the run pane knows: the runs as read, their traces, and the user's view of them.

Pure Python, free of Textual and of I/O. Text in here is raw.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.jobs.protocol import SampleAnswer, WorstTokens
from engine.records.run import Run
from tui.services.facts import Facts
from tui.services.job_view import Curve, JobView
from tui.services.runs import RunRow
from tui.widgets.rows import within

SMOOTHINGS = (0.0, 0.6, 0.9)
LETTERS = "abc"
_STRIDES = 40  # key presses from one end of a run to the other
_QUANTITIES = ("validation_kl", "all_rules", "loss")


@dataclass(frozen=True, slots=True)
class Watched:
    """One question that was asked repeatedly, and the answers to it."""

    place: int  # from 1
    total: int
    question: str
    samples: Sequence[SampleAnswer]


@dataclass(slots=True)
class RunState:
    """The pane's whole state."""

    rows: tuple[RunRow, ...] = ()  # oldest first
    traces: dict[int, JobView] = field(default_factory=dict)  # by run
    traced: dict[int, tuple[str, int]] = field(default_factory=dict)  # state and step for which a trace was requested
    awaited: set[int] = field(default_factory=set)  # the runs whose requested traces have not arrived
    chosen: int | None = None  # a run's number; None: the one being trained, else the newest
    overlays: tuple[int, ...] = ()
    log: bool = False
    smoothing: float = 0.0
    cursor: int | None = None  # a step
    question: int = 0
    differing: bool = False  # show the worst validation tokens in place of the watched answers
    comparing: bool = False
    row: int = 0  # in the table, newest run first

    def take(self, rows: tuple[RunRow, ...]) -> None:
        """Take the runs."""
        self.rows = rows
        known = {row.run.id for row in rows}
        self.overlays = tuple(number for number in self.overlays if number in known)
        self.chosen = self.chosen if self.chosen in known else None
        self.row = within(self.row, len(rows))

    def shown(self, facts: Facts) -> Run | None:
        """The run that the user chose, else the one being trained, else the newest."""
        if self.chosen is not None and (chosen := self.found(self.chosen)) is not None:
            return chosen.run
        training = [row.run for row in self.rows if row.run.state in ("running", "paused")]
        newest = facts.run
        if training and (newest is None or newest.state not in ("running", "paused")):
            return training[-1]
        return newest

    def open(self, run_id: int) -> None:
        """Show this run's curves without overlays."""
        self.chosen, self.overlays, self.cursor, self.comparing = run_id, (), None, False

    @property
    def is_over(self) -> bool:
        """Whether there is a table, a cursor or another run than the newest to go back from."""
        return self.comparing or self.differing or self.cursor is not None or self.chosen is not None

    def found(self, run_id: int) -> RunRow | None:
        """The run with this number; None if it was not read."""
        return next((row for row in self.rows if row.run.id == run_id), None)

    def missing_traces(self, facts: Facts, job: JobView | None) -> tuple[int, ...]:
        """The runs on the page whose logs have to be read; call once per set of facts."""
        run = self.shown(facts)
        wanted = [*((run.id,) if run else ()), *self.overlays]
        missing = []
        for number in wanted:
            row = self.found(number)
            if row is None or not row.jobs or self._live(row, job) is not None:
                continue
            stands = (row.run.state, row.run.step)
            if self.traced.get(number) != stands:
                self.traced[number] = stands
                self.awaited.add(number)
                missing.append(number)
        return tuple(missing)

    def take_trace(self, number: int, trace: JobView) -> None:
        """Take what this run's logs report."""
        self.traces[number] = trace
        self.awaited.discard(number)

    def ask_again(self) -> None:
        """Count the traces that have not arrived as missing again."""
        for number in self.awaited:
            del self.traced[number]
        self.awaited.clear()

    def trace(self, run: Run, job: JobView | None) -> JobView | None:
        """Everything reported about a run: by the watched job, else by its logs."""
        row = self.found(run.id)
        if row is None:  # not read yet: if the watched job has a run, it is the newest
            return job if job is not None and job.station == "run" else None
        return self._live(row, job) or self.traces.get(run.id)

    def curves(self, run: Run | None, trace: JobView | None) -> dict[str, Curve]:
        """Each quantity's points: those of every step if they were reported, else those of the run's evaluations.

        Shares of sampled answers always come from the run, which stores how many answers they are based on.
        """
        curves = {name: Curve() for name in _QUANTITIES}
        for point in run.curve if run else ():
            curves["validation_kl"].add(point.step, point.validation_kl)
            if point.all_rules_rate is not None:
                curves["all_rules"].add(point.step, point.all_rules_rate)
            if point.step:
                curves["loss"].add(point.step, point.train_loss)
        for name, traced in trace.curves.items() if trace else ():
            if name in curves and name != "all_rules" and len(traced.steps) >= len(curves[name].steps):
                curves[name] = traced
        return curves

    def watched(self, trace: JobView | None) -> Watched | None:
        """The watched question and its answers; None if none was reported."""
        if trace is None or not trace.samples:
            return None
        questions = list(trace.samples)
        index = self.question % len(questions)
        return Watched(index + 1, len(questions), questions[index], trace.samples[questions[index]])

    def move_cursor(self, by: int, run: Run, trace: JobView | None) -> None:
        """Move the cursor by this many strides over the measured steps; it starts at the end that it comes from.

        It stops at every evaluation on the way: only there was everything measured.
        """
        curves = self.curves(run, trace)
        newest = int(max((curve.steps[-1] for curve in curves.values() if curve.steps), default=0))
        if self.cursor is None:
            self.cursor = 0 if by > 0 else newest
            return
        stride = max(1, round(max(run.steps, newest) / _STRIDES))
        goal = max(0, min(self.cursor + by * stride, newest))
        low, high = sorted((self.cursor, goal))
        between = [int(step) for step in curves["validation_kl"].steps if low <= step <= high and step != self.cursor]
        self.cursor = min(between, key=lambda step: abs(step - (self.cursor or 0)), default=goal)

    def turn_smoothing(self) -> None:
        """Smooth more; after the strongest smoothing, not at all."""
        self.smoothing = SMOOTHINGS[(SMOOTHINGS.index(self.smoothing) + 1) % len(SMOOTHINGS)]

    def turn_overlay(self, shown: int) -> None:
        """Overlay only the next other run on the shown one, newest first; after the oldest, none."""
        others = [row.run.id for row in reversed(self.rows) if row.run.id != shown]
        if not others:
            return
        place = others.index(self.overlays[0]) + 1 if self.overlays and self.overlays[0] in others else 0
        self.overlays = (others[place],) if place < len(others) else ()

    def choose(self, shown: int) -> bool:
        """Overlay the run under the cursor on the shown one, or remove the overlay.

        Returns False if it is the shown one itself, or if no more fit.
        """
        number = self.table[self.row].run.id if self.table else shown
        if number in self.overlays:
            self.overlays = tuple(each for each in self.overlays if each != number)
            return True
        if number == shown or len(self.overlays) == len(LETTERS):
            return False
        self.overlays = (*self.overlays, number)
        return True

    @property
    def table(self) -> tuple[RunRow, ...]:
        """The runs as the table lists them: newest first."""
        return self.rows[::-1]

    def move_row(self, by: int) -> None:
        """Move the table's cursor."""
        self.row = within(self.row + by, len(self.rows))

    def letter(self, run_id: int) -> str:
        """The letter of an overlaid run; empty for any other."""
        return LETTERS[self.overlays.index(run_id)] if run_id in self.overlays else ""

    @staticmethod
    def _live(row: RunRow, job: JobView | None) -> JobView | None:
        # A job over all stations does other work before it trains; until then, show what is stored of its runs.
        trains = job is not None and job.job_id in row.jobs and (job.curves or (job.live and job.station == "run"))
        return job if trains else None


def value_at(curve: Curve, step: float | None) -> tuple[float, float] | None:
    """The newest measured step at or before `step` (None: of all steps), with its value."""
    place = len(curve.steps) if step is None else bisect_right(curve.steps, step)
    return (curve.steps[place - 1], curve.values[place - 1]) if place else None


def sample_at(samples: Sequence[SampleAnswer | WorstTokens], step: float | None) -> int:
    """The index of the newest sample at or before `step` (None: of all); 0 if all came later."""
    return max((index for index, sample in enumerate(samples) if step is None or sample.step <= step), default=0)
