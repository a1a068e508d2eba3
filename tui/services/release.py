"""What can be exported and what has been, read on the store's thread; the export itself is a job."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from engine.errors import NotFoundError
from engine.paths import expand
from engine.project import Project
from engine.records.evaluation import FinalVerdict
from engine.records.options import ExportOptions
from engine.records.release import GgufType, Release, ReleasedFile, ReleaseKind
from engine.records.run import Run
from engine.releases.contents import card_text, export_bytes, folder_of, has_adapter, released_files
from engine.releases.job import check_export

KINDS: tuple[ReleaseKind, ...] = get_args(ReleaseKind)
GGUF_TYPES: tuple[GgufType, ...] = get_args(GgufType)


@dataclass(frozen=True, slots=True)
class Exportable:
    """A run with an adapter. `bytes`: approximate size of each form; None if the base is not on this machine yet."""

    run_id: int
    state: str
    best_step: int
    verdict: FinalVerdict | None  # None: not evaluated
    recovered: float | None
    newest_dataset: bool
    bytes: Mapping[ReleaseKind, int | None]
    folders: Mapping[ReleaseKind, str]  # the default folder of each form


@dataclass(frozen=True, slots=True)
class Released:
    """A past export, with the current content of its folder."""

    release: Release
    folder: str  # absolute
    files: tuple[ReleasedFile, ...]  # none: the folder is gone


@dataclass(frozen=True, slots=True)
class ReleasePage:
    """Both, newest first."""

    runs: tuple[Exportable, ...] = ()
    releases: tuple[Released, ...] = ()


def read_card(project: Project, release_id: int) -> tuple[Release, str]:
    """Read a release's model card."""
    release = next((each for each in project.releases.all() if each.id == release_id), None)
    if release is None:
        raise NotFoundError(f"There is no release {release_id}.", "It was removed meanwhile.", "Open the pane again.")
    return release, card_text(folder_of(project, release))


def possible_export(project: Project, options: ExportOptions, llama_cpp: str) -> ExportOptions:
    """The options of an export that is possible, with llama.cpp from that folder (empty: search the usual places).

    The destination is as typed.
    """
    to = str(expand(options.destination).absolute()) if options.destination else ""
    whole = replace(options, destination=to)
    check_export(project, whole, llama_cpp)
    return whole


def read_page(project: Project) -> ReleasePage:
    """Read runs and releases."""
    latest = project.datasets.latest()
    runs = [run for run in reversed(project.runs.all()) if has_adapter(project, run)]
    releases = reversed(project.releases.all())
    return ReleasePage(
        tuple(_exportable(project, run, newest=latest is None or run.dataset_sha256 == latest.sha256) for run in runs),
        tuple(
            Released(release, str(folder := folder_of(project, release)), released_files(folder))
            for release in releases
        ),
    )


def _exportable(project: Project, run: Run, *, newest: bool) -> Exportable:
    evaluation = project.evaluations.latest(run.id)
    recovered = evaluation.recovered if evaluation is not None else None
    return Exportable(
        run.id,
        run.state,
        run.best_step,
        evaluation.verdict if evaluation is not None else None,
        recovered.value if recovered is not None else None,
        newest,
        {kind: export_bytes(project, run, kind) for kind in KINDS},
        {kind: str(project.folder / "releases" / f"run-{run.id}-{kind}") for kind in KINDS},
    )
