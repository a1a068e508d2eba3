"""What a job was asked to do, as the JSON text of its row, and back. Knows nothing of jobs' processes."""

from engine.records.job import JobKind
from engine.records.options import (
    BenchOptions,
    CalibrateOptions,
    DemoOptions,
    EvaluateOptions,
    ExportOptions,
    GenerateOptions,
    HarnessOptions,
    JobOptions,
    ServeOptions,
    SweepOptions,
    SynthesizeOptions,
    TrainOptions,
    UpdateOptions,
)
from engine.store.words_json import decode, encode

_OPTIONS: dict[JobKind, type[JobOptions]] = {
    "synthesize": SynthesizeOptions,
    "generate": GenerateOptions,
    "train": TrainOptions,
    "sweep": SweepOptions,
    "calibrate": CalibrateOptions,
    "evaluate": EvaluateOptions,
    "export": ExportOptions,
    "harness": HarnessOptions,
    "serve": ServeOptions,
    "demo": DemoOptions,
    "bench": BenchOptions,
    "update": UpdateOptions,
}


def kind_of(options: JobOptions) -> JobKind:
    """Which kind of job takes these options."""
    return next(kind for kind, words in _OPTIONS.items() if isinstance(options, words))


def options_to_json(options: JobOptions) -> str:
    """The JSON text that a job's row keeps."""
    return encode(options)


def options_from_json(kind: JobKind, text: str) -> JobOptions:
    """The inverse. Raises `StoreError` where the text does not belong to a job of this kind."""
    return decode(_OPTIONS[kind], text)
