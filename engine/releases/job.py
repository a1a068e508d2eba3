"""The seventh station, as a job: exports a run's best adapter alone, merged into its base, or merged as GGUF.

A job that is stopped or killed leaves no files behind; a resumed one starts over.
"""

import shutil
from contextlib import nullcontext
from pathlib import Path

from engine.jobs.context import JobContext
from engine.jobs.protocol import Note
from engine.model.adapter_place import ADAPTER_CONFIG, ADAPTER_WEIGHTS, adapter_of
from engine.model.folder import read_json
from engine.paths import make_private_folder, write_atomically
from engine.project import Project
from engine.records.options import ExportOptions
from engine.records.release import Release
from engine.releases.card import describe_base, model_card
from engine.releases.contents import CARD, is_intact
from engine.releases.gguf import write_gguf
from engine.releases.llama_cpp import find_llama_cpp, set_llama_cpp
from engine.releases.staging import beside, require_free, write_checksums
from engine.releases.tokenizer import write_generation_config, write_json, write_processor, write_tokenizer
from engine.store.dataclass_json import decode, encode

_MADE = "release.json"  # in the job's folder: the release that is about to be moved into place
_MERGED = "merged"  # holds the merged weights while a GGUF release is made


def check_export(project: Project, options: ExportOptions, llama_cpp: str = "") -> None:
    """Check, before a job starts, that the export is possible.

    For GGUF, also note for the job where llama.cpp is: in the folder `llama_cpp`, else where `set_llama_cpp` finds it.
    Raises `UsageError` (the destination) and `NotFoundError` (no adapter, no llama.cpp).
    """
    require_free(destination_of(project, options), force=options.force)
    adapter_of(project.folder, project.runs.get(options.run_id))
    if options.form == "gguf":
        set_llama_cpp(llama_cpp)


def export(context: JobContext, options: ExportOptions) -> Release:
    """Write the release and record it in the project.

    A destination that exists and is not empty is refused; with `force` it is replaced, but only if it is itself a
    release. Raises UsageError, NotFoundError (no adapter, no llama.cpp), ModelError (base, tokenizer or conversion),
    StoreError (disk), and JobStopped.
    """
    from engine.model.auto_class import auto_class
    from engine.model.chat_format import ChatFormat
    from engine.model.locate import locate_base
    from engine.model.merge import merge

    project, form = context.project, options.form
    target = destination_of(project, options)
    if (made := _made_before(context, target)) is not None:
        return _recorded(project, made)
    trained = project.runs.get(options.run_id)
    adapter = adapter_of(project.folder, trained)
    llama_cpp = find_llama_cpp() if form == "gguf" else None
    base = locate_base(trained.config.base, project.home)
    described = describe_base(trained.config.base, base, auto_class(base).__name__)
    chat = ChatFormat.load(base)
    temperature = project.settings.read().serving_temperature
    converted = None
    # Copying an adapter disturbs no other job; whole weights are merged, and compared, on the CPU.
    with (
        nullcontext() if form == "adapter" else context.hold_device("cpu"),
        beside(target, force=options.force) as folder,
    ):
        whole = folder if llama_cpp is None else make_private_folder(folder / _MERGED)
        if form == "adapter":
            _copy_adapter(adapter, described.name, whole)
        else:
            context.emit(Note("merging base and adapter"))
            merge(base, adapter, whole, trained.config.quantize_base)
            write_processor(base, whole)
        context.checkpoint()
        write_tokenizer(base, chat.template, whole)
        write_generation_config(base, temperature, chat.stop_ids, whole)
        if llama_cpp is not None:
            questions = project.questions.all(split="test") or project.questions.all()
            converted = write_gguf(context, whole, folder, chat, questions, llama_cpp, options.gguf_type, temperature)
            shutil.rmtree(whole)
        context.checkpoint()
        measured = project.evaluations.latest(trained.id, "test")
        card = model_card(form, described, trained, measured, chat.notes, converted)
        (folder / CARD).write_text(card, encoding="utf-8")
        inside = target.is_relative_to(project.folder)
        recorded = str(target.relative_to(project.folder) if inside else target)
        parity = converted.parity if converted is not None else None
        made = Release(0, form, trained.id, recorded, write_checksums(folder), parity=parity)
        write_atomically(context.folder / _MADE, encode(made).encode())  # before the folder is moved into place
    return _recorded(project, made)


def _copy_adapter(adapter: Path, base_name: str, destination: Path) -> None:
    """Copy the adapter's weights, and its configuration with the base named as others can find it."""
    shutil.copyfile(adapter / ADAPTER_WEIGHTS, destination / ADAPTER_WEIGHTS)
    configuration = read_json(adapter / ADAPTER_CONFIG)
    configuration["base_model_name_or_path"] = base_name
    write_json(destination / ADAPTER_CONFIG, configuration)


def destination_of(project: Project, options: ExportOptions) -> Path:
    """Return the folder that the release is written to."""
    own = project.releases_folder / f"run-{options.run_id}-{options.form}"
    return Path(options.destination) if options.destination else own


def _made_before(context: JobContext, target: Path) -> Release | None:
    """Return the release that this job wrote already, if it was killed before it could record it."""
    kept = context.folder / _MADE
    if not kept.is_file():
        return None
    made = decode(Release, kept.read_text(encoding="utf-8"))
    return made if is_intact(target, made) else None


def _recorded(project: Project, made: Release) -> Release:
    """Return the project's record of the release; add it if there is none."""
    for release in project.releases.all():
        if (release.kind, release.run_id, release.folder, release.sha256) == (
            made.kind, made.run_id, made.folder, made.sha256,
        ):  # fmt: skip
            return release
    return project.releases.add(made.kind, made.run_id, made.folder, made.sha256, made.parity)
