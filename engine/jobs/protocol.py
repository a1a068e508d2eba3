"""What crosses the process boundary: versioned events that go up, controls that come down.

Standard library only. Events are one JSON object per line of `events.jsonl`; a control is one small file.
Knows nothing of who writes or reads them.
"""

from dataclasses import dataclass
from typing import Literal

from engine.records.job import JobState
from engine.records.run import WorstToken
from engine.records.station import StationName

PROTOCOL_VERSION = 1
TRAINING = "training"  # the note of a training's progress, except during a validation pass
Command = Literal["run", "pause", "stop", "keep"]  # keep: finish training now with its best checkpoint


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The job is now in this state; `note` says why (what it waits for, why it failed, what to do next)."""

    state: JobState
    note: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job is, in its own units, with a few words and the measured time left.

    `failed` of the `total` will not be done by this process.
    """

    done: int
    total: int
    note: str = ""
    seconds_left: float | None = None
    failed: int = 0


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """A model started to answer. `stream` names this answer in the deltas that follow."""

    stream: str
    arm: str  # "teacher", or an arm's name
    question: str


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More text of an answer; raw, hostile, not yet cleaned. Writers coalesce: at most about 10 per s per stream."""

    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """An answer is complete and stored (`passed`: it passes every rule), or failed, with the reason in `note`.

    `fault` names the kind of failure; `again`: the same is asked again, as the same stream.
    """

    stream: str
    answer: str
    passed: bool
    note: str = ""
    fault: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class AnswersFound:
    """Answers of this arm that existed before this process started, and how many of them pass every rule."""

    arm: str
    answers: int
    passed: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What the answers of this job have cost at given or list prices, and the tokens since its process started."""

    usd: float
    limit_usd: float | None
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """Measured values at one training step, by name: loss, validation_kl, all_rules, rule_1, learning_rate,
    gradient_norm, tokens_per_second, rss_mb, gpu_peak_mb. `measure`: the name by which `validation_kl` is shown."""

    step: int
    epoch: float
    values: dict[str, float]
    measure: str = ""


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """What the student answers to a watched question at this step, so that the user can see the prompt sink in."""

    step: int
    question: str
    answer: str
    passed: bool


@dataclass(frozen=True, slots=True)
class WorstTokens:
    """The validation tokens at which student and teacher differ most at this step, the worst first."""

    step: int
    tokens: tuple[WorstToken, ...]


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A job that runs several stages starts this one."""

    station: StationName


@dataclass(frozen=True, slots=True)
class PromptRead:
    """The answers that follow are to this prompt, even if another becomes current meanwhile."""

    sha256: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the user: a retry, a pause of the server, a checkpoint."""

    text: str


Event = (
    StateChanged
    | Progress
    | AnswerStarted
    | AnswerDelta
    | AnswerEnded
    | AnswersFound
    | Spent
    | Metrics
    | SampleAnswer
    | WorstTokens
    | StageStarted
    | PromptRead
    | Note
)


@dataclass(frozen=True, slots=True)
class StampedEvent:
    """An event with the time it was written, in seconds since the epoch."""

    at: float
    event: Event
