"""What the workspace knows: the store's facts as last read, and what the running job has told since.

Pure Python, free of Textual and of I/O: services hand in facts and events, widgets read. All text in here is
raw, as models and files wrote it; widgets clean it when they draw.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswerStarted,
    Metrics,
    Note,
    Progress,
    SampleAnswer,
    StageStarted,
    StampedEvent,
    StateChanged,
)
from engine.records.job import LIVE_STATES, STATION_OF_KIND, JobKind, JobState
from engine.records.station import STATIONS, StationName
from tui.services.facts import Facts, Stream

STREAMS_KEPT = 400
NOTES_KEPT = 5


@dataclass(slots=True)
class Curve:
    """The measured points of one quantity, by training step."""

    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: float, value: float) -> None:
        """Append a point; a step that was measured before (a resumed run) replaces what came after it."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            self.values.pop()
        self.steps.append(step)
        self.values.append(value)

    @property
    def last(self) -> float | None:
        return self.values[-1] if self.values else None


class JobView:
    """One job as its event log tells it. `apply` is the only way in; everything else reads."""

    def __init__(self, job_id: int, kind: JobKind) -> None:
        self.job_id = job_id
        self.station: StationName = STATION_OF_KIND[kind]
        self.state: JobState = "waiting"
        self.state_note = ""
        self.progress: Progress | None = None
        self.streams: OrderedDict[str, Stream] = OrderedDict()
        self.curves: dict[str, Curve] = {}
        self.epoch = 0.0
        self.samples: OrderedDict[str, list[SampleAnswer]] = OrderedDict()
        self.notes: list[str] = []
        self.rules_kept = 0  # answers of this stage that keep every rule
        self.rules_broken = 0
        self.answers_ended: list[float] = []  # when, in seconds since the epoch: the throughput's memory

    def apply(self, stamped: StampedEvent) -> None:
        """Take in one event."""
        match stamped.event:
            case StateChanged(state, note):
                self.state, self.state_note = state, note
            case StageStarted(station):
                self.station = station
                self.progress = None
                self.rules_kept = self.rules_broken = 0
                self.streams.clear()
                self.answers_ended.clear()
            case Progress():
                self.progress = stamped.event
            case AnswerStarted(name, arm, question):
                self.streams[name] = Stream(name, arm, question)
                self._drop_oldest()
            case AnswerDelta(name, text):
                if name in self.streams:
                    self.streams[name].text += text
            case AnswerEnded(name, answer, passed, note):
                stream = self.streams.setdefault(name, Stream(name, "", ""))
                stream.text, stream.note = answer, note
                stream.state = "passed" if passed else "failed"
                self.rules_kept += passed
                self.rules_broken += bool(answer) and not passed  # one that broke off has no words to judge
                self.answers_ended = [*self.answers_ended[-63:], stamped.at]
            case Metrics(step, epoch, values):
                self.epoch = epoch
                for name, value in values.items():
                    self.curves.setdefault(name, Curve()).add(step, value)
            case SampleAnswer(step, question):
                earlier = [sample for sample in self.samples.get(question, ()) if sample.step < step]
                self.samples[question] = [*earlier, stamped.event]
            case Note(text):
                self.notes = [*self.notes[-(NOTES_KEPT - 1) :], text]

    @property
    def live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def answers_per_minute(self) -> float | None:
        """How fast answers have been ending lately; None before two have."""
        times = self.answers_ended
        if len(times) < 2 or times[-1] <= times[0]:
            return None
        return 60.0 * (len(times) - 1) / (times[-1] - times[0])

    @property
    def step(self) -> int:
        """The newest training step that a metric told of."""
        loss = self.curves.get("loss")
        return int(loss.steps[-1]) if loss and loss.steps else 0

    def _drop_oldest(self) -> None:
        while len(self.streams) > STREAMS_KEPT:
            self.streams.popitem(last=False)


@dataclass(slots=True)
class WorkspaceState:
    """The screen's whole state."""

    facts: Facts | None = None
    job: JobView | None = None
    chosen: StationName | None = None  # None: follow the work
    cpu_percent: float | None = None
    rss_mb: float | None = None

    @property
    def shown(self) -> StationName:
        """The station on the screen: the chosen one, else where the work is, else where it last was."""
        if self.chosen is not None:
            return self.chosen
        if self.job is not None and self.job.live:
            return self.job.station
        return self._furthest()

    def move(self, steps: int) -> None:
        """Choose the station `steps` below the shown one; the rail does not wrap."""
        index = STATIONS.index(self.shown) + steps
        self.chosen = STATIONS[max(0, min(index, len(STATIONS) - 1))]

    def follow(self) -> None:
        """Go where the work is, and stay with it."""
        self.chosen = None

    def _furthest(self) -> StationName:
        """The evaluation where there is one, for it is what the work was for; else the last station with content."""
        if self.facts is None:
            return "prompt"
        if self.facts.evaluation is not None:
            return "evaluation"
        made = [station.name for station in self.facts.stations if station.count and station.name != "release"]
        return made[-1] if made else "prompt"
