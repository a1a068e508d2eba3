"""What services read for the screens: plain words, free of Textual. All text in here is raw."""

from dataclasses import dataclass
from typing import Literal

from engine.records.dataset import DatasetSummary
from engine.records.evaluation import Evaluation
from engine.records.job import LIVE_STATES, Job
from engine.records.options import ProjectSettings
from engine.records.prompt import Prompt
from engine.records.question import Split
from engine.records.release import Release
from engine.records.rule import Rule
from engine.records.run import Run
from engine.records.station import Station, StationName

StreamState = Literal["writing", "passed", "failed"]


@dataclass(slots=True)
class Stream:
    """One answer while it is written, and after."""

    name: str
    arm: str
    question: str
    text: str = ""
    state: StreamState = "writing"
    note: str = ""


@dataclass(frozen=True, slots=True)
class ExampleCounts:
    """How many examples there are, and what was decided about them."""

    total: int = 0
    accepted: int = 0
    rejected: int = 0
    undecided: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the screen shows that the store knows, read together on the store's thread."""

    project: str
    folder: str
    settings: ProjectSettings
    stations: tuple[Station, ...]
    prompt: Prompt | None = None
    prompt_version: int = 0
    prompt_tokens: str = ""  # with ≈ where it is an estimate
    rules: tuple[Rule, ...] = ()
    questions: tuple[tuple[Split, int], ...] = ()
    topics: tuple[tuple[str, int], ...] = ()
    examples: ExampleCounts = ExampleCounts()
    latest_answers: tuple[Stream, ...] = ()
    dataset: DatasetSummary | None = None
    run: Run | None = None
    trained_run: int = 0  # the newest that has an adapter; 0: none
    evaluation: Evaluation | None = None
    releases: tuple[Release, ...] = ()
    cost: str = ""  # whether distilling pays, in a few words; empty where nobody asked
    jobs: tuple[Job, ...] = ()
    ending: frozenset[int] = frozenset()  # live jobs that were asked to stop, and have not yet
    pausing: frozenset[int] = frozenset()  # those that were asked to pause, and do not yet

    @property
    def newest_job(self) -> Job | None:
        """The job that is watched: a live one before an ended one, one at work or paused before one that waits, the
        newest first. A server is beside the work: it is watched where nothing lives, and nothing ended before it was
        done. One that has ended is nothing to be told of.
        """
        working = max((job for job in self.jobs if job.kind != "serve"), key=_watched_first, default=None)
        if working is not None and working.state != "done":
            return working
        serving = [job for job in self.jobs if job.kind == "serve" and job.state in LIVE_STATES]
        return max(serving, key=_watched_first, default=working)

    @property
    def ending_at(self) -> frozenset[StationName]:
        """The stations at which a job is ending."""
        return frozenset(job.stage for job in self.jobs if job.id in self.ending)


def _watched_first(job: Job) -> tuple[bool, bool, int]:
    return job.state in LIVE_STATES, job.state != "waiting", job.id
