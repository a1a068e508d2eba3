"""One job as its event log describes it: streams, curves, samples, pace.

Pure Python, free of Textual and of I/O: a service passes in events, panes read. All text in here is raw, as models
wrote it; it is cleaned when it is drawn.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from engine.jobs.protocol import (
    AnswerDelta,
    AnswerEnded,
    AnswersFound,
    AnswerStarted,
    Metrics,
    Note,
    Progress,
    PromptRead,
    SampleAnswer,
    Spent,
    StageStarted,
    StampedEvent,
    StateChanged,
    WorstTokens,
)
from engine.records.job import LIVE_STATES, JobState
from engine.records.options import OPTIONS_OF_KIND, JobKind
from engine.records.station import StationName
from tui.services.facts import Stream

STREAMS_KEPT = 400
NOTES_KEPT = 5
PACE_NEEDS_S = 3.0  # rows of one batch end together, so a pace over less time means nothing
_PACE_OVER_S = 30.0


@dataclass(slots=True)
class Curve:
    """The measured points of one quantity, by training step."""

    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: float, value: float) -> None:
        """Append a point; a step measured before (in a resumed run) replaces that point and all after it."""
        while self.steps and self.steps[-1] >= step:
            self.steps.pop()
            self.values.pop()
        self.steps.append(step)
        self.values.append(value)

    @property
    def last(self) -> float | None:
        return self.values[-1] if self.values else None


class JobView:
    """One job as its event log describes it. Only `apply` and `tick` change it; everything else reads."""

    def __init__(self, job_id: int, kind: JobKind) -> None:
        self.job_id = job_id
        self.kind = kind
        self.station: StationName = OPTIONS_OF_KIND[kind].station
        self.state: JobState = "waiting"
        self.state_note = ""
        self.since = 0.0  # when it entered this state, in seconds since the epoch
        self.prompt_sha256 = ""  # of the prompt that the teacher answers; empty: not known, or at another station
        self.progress: Progress | None = None
        self._since_progress = 0.0  # seconds since the last progress event
        self.streams: OrderedDict[str, Stream] = OrderedDict()
        self.curves: dict[str, Curve] = {}
        self.epoch = 0.0
        self.samples: OrderedDict[str, list[SampleAnswer]] = OrderedDict()
        self.worst: list[WorstTokens] = []  # by step
        self.notes: list[str] = []
        self.rules_kept = 0  # answers of this stage that pass every rule
        self.rules_broken = 0
        self.kept_by_arm: dict[str, int] = {}
        self.ended_by_arm: dict[str, int] = {}
        self.asked_again: Counter[str] = Counter()  # failures that were retried, by kind
        self.last_retried = ""  # what the last one of them said
        self.unanswered: dict[tuple[int, int], str] = {}  # (question id, attempt) without an answer → kind of failure
        self.spent: Spent | None = None
        self._written: list[tuple[float, int]] = []  # (time, answer tokens so far)
        self.answers_ended: list[float] = []  # times in seconds since the epoch, for the throughput

    def apply(self, stamped: StampedEvent) -> None:
        """Apply one event."""
        match stamped.event:
            case StateChanged(state, note):
                self.state, self.state_note, self.since = state, note, stamped.at
                if state == "running":  # for the first time or again: earlier answers say nothing about the pace now
                    self._clear_pace()
            case StageStarted(station):
                self._start_stage(station)
            case PromptRead(sha256):
                self.prompt_sha256 = sha256
            case Progress():
                self.progress, self._since_progress = stamped.event, 0.0
            case AnswerStarted(name, arm, question):
                self.streams.pop(name, None)  # an earlier try that failed
                self.streams[name] = Stream(name, arm, question)
                self._drop_oldest()
            case AnswerDelta(name, text):
                if name in self.streams:
                    self.streams[name].text += text
            case AnswerEnded():
                self._end_answer(stamped.event, stamped.at)
            case AnswersFound(arm, answers, passed):
                self.ended_by_arm[arm], self.kept_by_arm[arm] = answers, passed
            case Spent(completion_tokens=tokens):
                self.spent = stamped.event
                self._add_tokens(tokens, stamped.at)
            case Metrics():
                self._measure(stamped.event)
            case SampleAnswer(step, question):
                earlier = [sample for sample in self.samples.get(question, ()) if sample.step < step]
                self.samples[question] = [*earlier, stamped.event]
            case WorstTokens(step):
                self.worst = [*(worst for worst in self.worst if worst.step < step), stamped.event]
            case Note(text):
                self.notes = [*self.notes[-(NOTES_KEPT - 1) :], text]

    def tick(self, seconds: float) -> None:
        """Note that this much time has passed, whether or not the job reported anything."""
        if self.state == "running":
            self._since_progress += seconds

    @property
    def seconds_left(self) -> float | None:
        """The job's last estimate minus the time since; None if there is none, or if it has been exceeded."""
        left = self.progress.seconds_left if self.progress is not None else None
        return None if left is None or left < self._since_progress else left - self._since_progress

    @property
    def live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def answers_per_minute(self) -> float | None:
        """The recent rate of finished answers; None until a few seconds have been measured."""
        times = self.answers_ended
        if len(times) < 2 or times[-1] - times[0] < PACE_NEEDS_S:
            return None
        return 60.0 * (len(times) - 1) / (times[-1] - times[0])

    @property
    def tokens_per_second(self) -> float | None:
        """The recent rate of tokens in finished answers; None until two counts have arrived."""
        if len(self._written) < 2 or self._written[-1][0] <= self._written[0][0]:
            return None
        (begun, before), (ended, after) = self._written[0], self._written[-1]
        return (after - before) / (ended - begun)

    @property
    def step(self) -> int:
        """The newest training step with a reported metric."""
        loss = self.curves.get("loss")
        return int(loss.steps[-1]) if loss and loss.steps else 0

    @property
    def share(self) -> float | None:
        """The share of this station's work that is done; None if not reported, and while a training prepares."""
        progress = self.progress if self.live else None
        if progress is None or not progress.total or self.prepares:
            return None
        return progress.done / progress.total

    @property
    def prepares(self) -> bool:
        """Whether a training is still before its first step: until then its progress does not count steps."""
        return self.station == "run" and self.kind != "calibrate" and not self.step

    def _start_stage(self, station: StationName) -> None:
        self.station = station
        self.progress = self.spent = None
        self.prompt_sha256 = ""
        self.rules_kept = self.rules_broken = 0
        self.kept_by_arm.clear()
        self.ended_by_arm.clear()
        self.streams.clear()
        self.asked_again.clear()
        self.last_retried = ""
        self._clear_pace()
        if station == "examples":  # kept by other stages: they can be asked for again after an update
            self.unanswered.clear()

    def _measure(self, metrics: Metrics) -> None:
        self.epoch = metrics.epoch
        for name, value in metrics.values.items():
            self.curves.setdefault(name, Curve()).add(metrics.step, value)

    def _clear_pace(self) -> None:
        self.answers_ended.clear()
        self._written.clear()

    def _end_answer(self, ended: AnswerEnded, at: float) -> None:
        if ended.again:
            self.asked_again[ended.fault] += 1
            self.last_retried = ended.note
            self.streams.pop(ended.stream, None)
            return
        stream = self.streams.setdefault(ended.stream, Stream(ended.stream, "", ""))
        stream.text, stream.note = ended.answer, ended.note
        stream.state = "passed" if ended.passed else "failed"
        self.ended_by_arm[stream.arm] = self.ended_by_arm.get(stream.arm, 0) + 1
        self.kept_by_arm[stream.arm] = self.kept_by_arm.get(stream.arm, 0) + ended.passed
        self.rules_kept += ended.passed
        self.rules_broken += bool(ended.answer) and not ended.passed  # an answer that broke off has no text to check
        if ended.fault and self.station == "examples":
            self.unanswered[_ask_of(ended.stream)] = ended.fault
        elif self.unanswered and self.station == "examples":
            self.unanswered.pop(_ask_of(ended.stream), None)
        if ended.answer:
            self.answers_ended = [*self.answers_ended[-63:], at]

    def _add_tokens(self, tokens: int, at: float) -> None:
        if self._written and tokens < self._written[-1][1]:
            self._written.clear()  # another process resumed the job
        recent = [point for point in self._written if at - point[0] <= _PACE_OVER_S]
        self._written = [*recent, (at, tokens)]

    def _drop_oldest(self) -> None:
        while len(self.streams) > STREAMS_KEPT:
            self.streams.popitem(last=False)


def _ask_of(stream: str) -> tuple[int, int]:
    """The question id and attempt in the name of a generation's stream; (0, 0) for other names."""
    parts = stream.split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit() else (0, 0)
