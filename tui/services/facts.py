"""What services read for the screens: plain dataclasses, free of Textual. All text in here is raw."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.jobs.control_file import Asked
from engine.records.dataset import DatasetSummary
from engine.records.evaluation import Evaluation
from engine.records.example import ExampleCounts
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
    """One answer, during and after generation."""

    name: str
    arm: str
    question: str
    text: str = ""
    state: StreamState = "writing"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything from the store that the screen shows, read together on the store's thread."""

    project: str
    folder: str
    settings: ProjectSettings
    stations: tuple[Station, ...]
    prompt: Prompt | None = None
    prompt_version: int = 0
    prompt_tokens: str = ""  # prefixed with ≈ if estimated
    rules: tuple[Rule, ...] = ()
    questions: tuple[tuple[Split, int], ...] = ()
    topics: tuple[tuple[str, int], ...] = ()
    examples: ExampleCounts = field(default_factory=ExampleCounts)
    older_answers: int = 0  # to earlier versions of the prompt; counted while there is none to this one
    latest_answers: tuple[Stream, ...] = ()
    dataset: DatasetSummary | None = None
    run: Run | None = None
    trained_run: int = 0  # the newest with an adapter; 0: none
    evaluation: Evaluation | None = None
    releases: tuple[Release, ...] = ()
    cost: str = ""  # whether distilling pays, in brief; empty if never estimated
    jobs: tuple[Job, ...] = ()
    asked: Mapping[int, Asked] = field(default_factory=dict)  # what live jobs were asked to do and have not done yet

    @property
    def newest_job(self) -> Job | None:
        """The watched job: live before ended, running or paused before waiting, newest first.

        A server is watched only if it is live, no other job is, and none ended without being done.
        """
        working = max((job for job in self.jobs if job.kind != "serve"), key=_watched_first, default=None)
        if working is not None and working.state != "done":
            return working
        serving = [job for job in self.jobs if job.kind == "serve" and job.state in LIVE_STATES]
        return max(serving, key=_watched_first, default=working)

    @property
    def update_brings(self) -> bool:
        """Whether the prompt changed since the dataset was frozen, so that an update redoes only what that affects."""
        dataset, prompt = self.dataset, self.prompt
        return dataset is not None and prompt is not None and dataset.prompt_sha256 != prompt.sha256

    @property
    def ending(self) -> frozenset[int]:
        """The live jobs that were asked to stop and have not stopped yet."""
        return frozenset(job_id for job_id, word in self.asked.items() if word == "stopping")

    @property
    def ending_at(self) -> frozenset[StationName]:
        """The stations whose job is ending."""
        ending = self.ending
        return frozenset(job.stage for job in self.jobs if job.id in ending)


def _watched_first(job: Job) -> tuple[bool, bool, int]:
    return job.state in LIVE_STATES, job.state != "waiting", job.id
