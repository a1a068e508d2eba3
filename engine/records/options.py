"""What each job was asked to do: the options that a command passes to the process that carries them out."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from engine.records.cost import EndpointPrices
from engine.records.example import TeacherKind
from engine.records.question import Split
from engine.records.release import GgufType, ReleaseKind
from engine.records.run import TrainingConfig
from engine.records.station import StationName

JobKind = Literal[
    "synthesize", "generate", "train", "sweep", "calibrate", "evaluate", "export", "harness", "serve", "demo", "bench",
    "update",
]  # fmt: skip
MirrorName = Literal["tensorboard", "wandb", "trackio"]


class JobOptionsBase:
    """Facts about a job's kind, declared on its options class."""

    __slots__ = ()
    kind: ClassVar[JobKind]
    station: ClassVar[StationName]  # where it works; the first one of several
    multi_station: ClassVar[bool] = False  # whether it runs several stations in sequence
    produces_output: ClassVar[bool] = True  # produces what its station holds, so that its state counts as the station's
    reads_checkpoints: ClassVar[bool] = True  # if so, checkpoints are not freed while it is live


@dataclass(frozen=True, slots=True)
class TeacherSpec:
    """Which model sees the prompt. Never contains an API key: keys are looked up by host when needed."""

    kind: TeacherKind = "local"
    model: str = "starter"
    base_url: str = ""  # endpoint only

    @property
    def name(self) -> str:
        """The name that examples are keyed by: the model, plus the URL for an endpoint."""
        return f"{self.model} @ {self.base_url}" if self.kind == "endpoint" else self.model

    @classmethod
    def named(cls, kind: TeacherKind, name: str) -> "TeacherSpec":
        """Return the spec whose `name` this is."""
        model, _, base_url = name.rpartition(" @ ") if kind == "endpoint" else (name, "", "")
        return cls(kind, model, base_url)


@dataclass(frozen=True, slots=True)
class GenerateOptions(JobOptionsBase):
    """One generation: `samples` attempts for every question of `splits`, or only the attempts listed in `asks`."""

    kind = "generate"
    station = "examples"
    reads_checkpoints = False

    teacher: TeacherSpec = TeacherSpec()
    splits: tuple[Split, ...] = ("train", "validation")
    samples: int = 1
    temperature: float = 0.7  # default serving temperature of a project
    max_answer_tokens: int = 512
    limit: int | None = None  # total number of questions, spread over splits and topics; None: all
    seed: int = 0
    concurrency: int = 16  # endpoint: requests in flight
    batch_rows: int = 128  # local: rows decoded together; fewer if there is not enough memory
    max_cost_usd: float | None = None
    stop_when_accepted: bool = False  # skip further samples of a question once one has passed every rule
    asks: tuple[tuple[int, int], ...] = ()  # (question id, attempt); overrides `splits`, `samples` and `limit`


@dataclass(frozen=True, slots=True)
class TrainOptions(JobOptionsBase):
    """One training on a frozen dataset. The configuration is in the record of run `run_id`."""

    kind = "train"
    station = "run"

    run_id: int
    processes: int | None = 1  # on this machine; None: processes already started by a launcher (torchrun)
    mirrors: tuple[MirrorName, ...] = ()  # where metrics are also sent
    shard: bool = False  # split the base's layers across the processes


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep. `words` are the `train` options that train its configuration in full."""

    run_id: int
    words: str


@dataclass(frozen=True, slots=True)
class SweepOptions(JobOptionsBase):
    """Short runs in sequence, compared on validation."""

    kind = "sweep"
    station = "run"

    trials: tuple[Trial, ...]
    minutes: float | None = None  # of training per run, which is then measured and ends


@dataclass(frozen=True, slots=True)
class CalibrateOptions(JobOptionsBase):
    """A few steps on a dataset's longest rows, measured before a run with this configuration."""

    kind = "calibrate"
    station = "run"
    produces_output = False

    config: TrainingConfig
    dataset_sha256: str


def usual_samples(temperature: float) -> int:
    """Return the default samples per question of an evaluation: 1 at temperature 0, where all would be equal."""
    return 3 if temperature > 0 else 1


@dataclass(frozen=True, slots=True)
class EvaluateOptions(JobOptionsBase):
    """One evaluation of one run on the held-out questions."""

    kind = "evaluate"
    station = "evaluation"

    run_id: int
    split: Split = "test"
    temperature: float = 0.7
    samples: int = 3
    max_answer_tokens: int = 256
    limit: int | None = None  # maximum number of questions; None: all
    seed: int = 0
    batch_rows: int = 128
    teacher: TeacherSpec | None = None  # None: the teacher is the base itself
    arms: tuple[str, ...] = ()  # extra arms: run:ID, checkpoint:RUN:STEP, prompt_back (the student with the prompt)
    regressions: bool = False  # also ask general questions, requests for the prompt, and orders against its rules
    judge: TeacherSpec | None = None  # decides on rubrics; None: rubrics are not measured
    preference: bool = False  # the judge also compares the student's answers with the reference's
    max_cost_usd: float | None = None  # for teacher and judge together


@dataclass(frozen=True, slots=True)
class ExportOptions(JobOptionsBase):
    """One release of one run.

    Deliberately excludes the path of llama.cpp: it is executed, and a project may come from a stranger.
    """

    kind = "export"
    station = "release"

    run_id: int
    form: ReleaseKind = "adapter"
    destination: str = ""  # absolute path; empty: `run-ID-FORM` in the project's releases folder
    force: bool = False  # replace an older release there
    gguf_type: GgufType = "auto"  # only for form "gguf"


@dataclass(frozen=True, slots=True)
class HarnessOptions(JobOptionsBase):
    """Public tasks of lm-evaluation-harness, run on a release and on its base.

    Deliberately excludes what is executed: the path of lm-eval, and the user's own tasks, which may be code.
    """

    kind = "harness"
    station = "release"
    produces_output = False
    reads_checkpoints = False

    release_id: int
    tasks: tuple[str, ...]  # lm-eval names of tasks and groups
    limit: int | None = None  # questions per task; None: all
    few_shot: int | None = None  # examples before each question; None: the task's default
    batch_rows: int = 8
    chat_template: bool = True


@dataclass(frozen=True, slots=True)
class DemoOptions(JobOptionsBase):
    """The demo: all stations in sequence."""

    kind = "demo"
    station = "examples"
    multi_station = True

    quick: bool = False  # a smaller and faster one
    export: bool = True  # also release the run


@dataclass(frozen=True, slots=True)
class BenchOptions(JobOptionsBase):
    """One prompt of the benchmark: every station up to the evaluation."""

    kind = "bench"
    station = "examples"
    multi_station = True

    quick: bool = False


@dataclass(frozen=True, slots=True)
class UpdateOptions(JobOptionsBase):
    """Redo what a changed prompt or rule affects, from the answers to the evaluation."""

    kind = "update"
    station = "examples"
    multi_station = True

    by_rules: bool = False  # ignore changed passages: only the rules decide which answers are kept
    epochs: float | None = None  # None: a quarter of the earlier run's
    from_scratch: bool = False  # start from the base, not from the earlier run's adapter


@dataclass(frozen=True, slots=True)
class SynthesizeOptions(JobOptionsBase):
    """Questions written by a teacher: `topics` topics that cover the prompt, `per_topic` questions each.

    `like` holds ids of validation questions: if set, training questions of the same kinds are written instead.
    """

    kind = "synthesize"
    station = "questions"
    reads_checkpoints = False

    teacher: TeacherSpec = TeacherSpec()
    topics: int = 20
    per_topic: int = 10
    seed: int = 0
    like: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ServeOptions(JobOptionsBase):
    """A local server of the project's arms on one base: that of run `run_id`, or of the newest run if None."""

    kind = "serve"
    station = "release"
    produces_output = False
    reads_checkpoints = False

    run_id: int | None = None
    port: int = 0  # 0: chosen by the system
    idle_minutes: float = 30.0  # it exits after this long without a request


JobOptions = (
    SynthesizeOptions
    | GenerateOptions
    | TrainOptions
    | SweepOptions
    | CalibrateOptions
    | EvaluateOptions
    | ExportOptions
    | HarnessOptions
    | ServeOptions
    | DemoOptions
    | BenchOptions
    | UpdateOptions
)
OPTIONS_OF_KIND: dict[JobKind, type[JobOptions]] = {options.kind: options for options in get_args(JobOptions)}


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The settings that a project stores."""

    student_base: str = "starter"  # "starter" (the bundled model), a local folder, or a hub name
    serving_temperature: float = 0.7
    teacher: TeacherSpec = TeacherSpec()
    judge: TeacherSpec | None = None  # an endpoint that decides on rubrics
    prices: tuple[EndpointPrices, ...] = ()  # at most one for each model of an endpoint

    @property
    def other_teacher(self) -> TeacherSpec | None:
        """The teacher if it is not the student's base, so that it is a separate arm; else None."""
        return None if self.teacher.kind == "local" and self.teacher.model == self.student_base else self.teacher
