"""What each job was asked to do: the words between a command and the process that carries them out."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

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


class OfKind:
    """What the options of a job say of its kind."""

    __slots__ = ()
    kind: ClassVar[JobKind]
    station: ClassVar[StationName]  # where it works; a job that conducts begins there
    conducts: ClassVar[bool] = False  # several stations, one after another
    makes: ClassVar[bool] = True  # else what becomes of it says nothing about what is at its station
    reads_checkpoints: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class TeacherSpec:
    """Which model sees the prompt. A key is never part of it: keys are looked up by host when needed."""

    kind: TeacherKind = "local"
    model: str = "starter"
    base_url: str = ""  # endpoint only

    @property
    def name(self) -> str:
        """What examples are keyed by: the model, with its address for an endpoint."""
        return f"{self.model} @ {self.base_url}" if self.kind == "endpoint" else self.model

    @classmethod
    def named(cls, kind: TeacherKind, name: str) -> "TeacherSpec":
        """The one whose examples are keyed by `name`."""
        model, _, base_url = name.rpartition(" @ ") if kind == "endpoint" else (name, "", "")
        return cls(kind, model, base_url)


@dataclass(frozen=True, slots=True)
class GenerateOptions(OfKind):
    """One generation: every question of `splits` gets `samples` attempts, or just what `asks` names is asked for."""

    kind = "generate"
    station = "examples"
    reads_checkpoints = False

    teacher: TeacherSpec = TeacherSpec()
    splits: tuple[Split, ...] = ("train", "validation")
    samples: int = 1
    temperature: float = 0.7  # the serving temperature of a project that sets none
    max_answer_tokens: int = 512
    limit: int | None = None  # questions, of every split and topic their share; None: all
    seed: int = 0
    concurrency: int = 16  # endpoint: requests in flight
    batch_rows: int = 128  # local: rows decoded together, fewer where memory has no room for them
    max_cost_usd: float | None = None
    stop_when_accepted: bool = False  # skip further samples of a question whose earlier one passed every rule
    asks: tuple[tuple[int, int], ...] = ()  # (question id, attempt); with these, no split, sample or limit counts


@dataclass(frozen=True, slots=True)
class TrainOptions(OfKind):
    """One training on a frozen dataset. `run_id` names the run whose record holds the configuration."""

    kind = "train"
    station = "run"

    run_id: int
    processes: int | None = 1  # on this machine; None: those that a launcher (torchrun) has started
    mirrors: tuple[MirrorName, ...] = ()  # where its metrics are told too
    shard: bool = False  # the processes hold the base's layers between them


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep; `words` are the options of `train` that train its configuration in full."""

    run_id: int
    words: str


@dataclass(frozen=True, slots=True)
class SweepOptions(OfKind):
    """Short runs, one after another, that are compared on validation."""

    kind = "sweep"
    station = "run"

    trials: tuple[Trial, ...]
    minutes: float | None = None  # of training, for each; then it is measured and ends


@dataclass(frozen=True, slots=True)
class CalibrateOptions(OfKind):
    """A few steps of the longest rows of a dataset, measured before a run of this configuration."""

    kind = "calibrate"
    station = "run"
    makes = False

    config: TrainingConfig
    dataset_sha256: str


def usual_samples(temperature: float) -> int:
    """How many answers each question gets in an evaluation where nobody says: at temperature 0 they would be alike."""
    return 3 if temperature > 0 else 1


@dataclass(frozen=True, slots=True)
class EvaluateOptions(OfKind):
    """One evaluation of one run on the held-out questions."""

    kind = "evaluate"
    station = "evaluation"

    run_id: int
    split: Split = "test"
    temperature: float = 0.7
    samples: int = 3
    max_answer_tokens: int = 256
    limit: int | None = None
    seed: int = 0
    batch_rows: int = 128
    teacher: TeacherSpec | None = None  # only where it is another model than the base
    arms: tuple[str, ...] = ()  # extra ones: run:3, checkpoint:3:120, prompt_back
    regressions: bool = False  # also ask general questions, for the prompt, and against its rules
    judge: TeacherSpec | None = None  # who decides on rubrics; without one they are not measured
    preference: bool = False  # the judge also compares the student's answers with the reference's
    max_cost_usd: float | None = None  # of teacher and judge together


@dataclass(frozen=True, slots=True)
class ExportOptions(OfKind):
    """One release of one run. Which llama.cpp converts it is no part of it: that is run, and a project may come from a
    stranger.
    """

    kind = "export"
    station = "release"

    run_id: int
    form: ReleaseKind = "adapter"
    destination: str = ""  # in full; empty: `run-ID-FORM` among the project's releases
    force: bool = False  # an older release there is replaced
    gguf_type: GgufType = "auto"  # of that form alone


@dataclass(frozen=True, slots=True)
class HarnessOptions(OfKind):
    """Public tasks of lm-evaluation-harness, asked of a release and of its base. What is run is no part of it either:
    which lm-eval, and tasks of one's own, which may be code.
    """

    kind = "harness"
    station = "release"
    makes = False
    reads_checkpoints = False

    release_id: int
    tasks: tuple[str, ...]  # its own names, of tasks and of groups
    limit: int | None = None  # questions a task; None: all
    few_shot: int | None = None  # examples before a question; None: what the task says
    batch_rows: int = 8
    chat_template: bool = True


@dataclass(frozen=True, slots=True)
class DemoOptions(OfKind):
    """The demo: every station, one after another."""

    kind = "demo"
    station = "examples"
    conducts = True

    quick: bool = False
    export: bool = True


@dataclass(frozen=True, slots=True)
class BenchOptions(OfKind):
    """One prompt of the benchmark: every station up to the evaluation."""

    kind = "bench"
    station = "examples"
    conducts = True

    quick: bool = False


@dataclass(frozen=True, slots=True)
class UpdateOptions(OfKind):
    """What a changed prompt or rule touches, done again, from the answers to the evaluation."""

    kind = "update"
    station = "examples"
    conducts = True

    by_rules: bool = False  # changed passages touch nothing: the rules alone decide which answers are kept
    epochs: float | None = None  # None: a quarter of the earlier run's
    from_scratch: bool = False  # train from the base, not from the earlier run's adapter


@dataclass(frozen=True, slots=True)
class SynthesizeOptions(OfKind):
    """Questions written by a teacher: `topics` topics over the prompt, `per_topic` questions for each.

    With `like`, numbers of validation questions, no topic is named: training questions of the same kinds are written.
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
class ServeOptions(OfKind):
    """A local server of the project's arms over one base: that of run `run_id`, else of the newest run."""

    kind = "serve"
    station = "release"
    makes = False
    reads_checkpoints = False

    run_id: int | None = None
    port: int = 0  # 0: one of the system's choice
    idle_minutes: float = 30.0  # without a request, then it ends


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
    """What a project keeps about itself."""

    student_base: str = "starter"  # "starter", a local folder, or a hub name
    serving_temperature: float = 0.7
    teacher: TeacherSpec = TeacherSpec()
    judge: TeacherSpec | None = None  # an endpoint that decides on rubrics

    @property
    def other_teacher(self) -> TeacherSpec | None:
        """The teacher, where it is another model than the student's base: then it is an arm of its own."""
        return None if self.teacher.kind == "local" and self.teacher.model == self.student_base else self.teacher
