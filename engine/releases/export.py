"""Writes a release: beside its destination, checksummed, then renamed, so that a half one is never seen."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StoreError, UsageError
from engine.paths import Home, expand, make_private_folder, sync_folder, write_atomically
from engine.project import Project
from engine.records.release import GgufType, Release, ReleaseKind
from engine.records.run import Run
from engine.releases.adapter import require_adapter, write_adapter
from engine.releases.card import describe_base, model_card
from engine.releases.gguf import write_gguf
from engine.releases.llama_cpp import find_llama_cpp
from engine.releases.tokenizer import write_generation_config, write_tokenizer

CHECKSUMS = "SHA256SUMS"
_HALF = ".half-release-"  # in the names of folders that are no releases yet, or no more
_OLD = ".old"
_MERGED = "merged"  # of a release that is GGUF, while it is made


@dataclass(frozen=True, slots=True)
class Gguf:
    """How a GGUF file is made."""

    llama_cpp: Path | None = None  # its folder; else $LLAMA_CPP, else the PATH
    type: GgufType = "auto"


def export(
    project: Project,
    run: Run,
    kind: ReleaseKind,
    destination: Path | None = None,
    *,
    home: Home,
    force: bool = False,
    gguf: Gguf = Gguf(),
    tell: Callable[[str], None] = lambda _words: None,
) -> Release:
    """Release `run`'s best adapter, alone, merged into its base, or merged as GGUF, and record it in the project.

    `destination` defaults to `run-ID-KIND` among the project's releases. A folder that is there and not empty is
    refused; with `force` it is replaced, but only if it is a release itself (it holds SHA256SUMS). `tell` is told what
    takes long. Raises UsageError, NotFoundError (no adapter, no llama.cpp), ModelError (base, tokenizer or conversion),
    StoreError (disk).
    """
    from engine.model.chat_format import ChatFormat
    from engine.model.locate import locate_base
    from engine.model.merge import merge

    target = expand(destination or project.releases_folder / f"run-{run.id}-{kind}").absolute()
    _require_free(target, force)
    adapter = require_adapter(project.folder / run.folder / "adapter", run.id)
    llama_cpp = find_llama_cpp(gguf.llama_cpp) if kind == "gguf" else None
    base = locate_base(run.config.base, home)
    described = describe_base(run.config.base, base)
    chat = ChatFormat.load(base)
    temperature = project.settings.read().serving_temperature
    converted = None
    with _beside(target) as folder:
        whole = folder if llama_cpp is None else make_private_folder(folder / _MERGED)
        if kind == "adapter":
            write_adapter(adapter, described.name, whole)
        else:
            tell("merging base and adapter")
            merge(base, adapter, whole, run.config.quantize_base)
        write_tokenizer(base, chat.template, whole)
        write_generation_config(base, temperature, chat.stop_ids, whole)
        if llama_cpp is not None:
            questions = project.questions.all(split="test") or project.questions.all()
            converted = write_gguf(whole, folder, chat, questions, llama_cpp, gguf.type, temperature, tell)
            shutil.rmtree(whole)
        measured = project.evaluations.latest(run.id, "test")
        card = model_card(kind, described, run, measured, chat.notes, converted)
        (folder / "README.md").write_text(card, encoding="utf-8")
        sha256 = _write_checksums(folder)
    inside = target.is_relative_to(project.folder)
    recorded = target.relative_to(project.folder) if inside else target
    parity = converted.parity if converted is not None else None
    return project.releases.add(kind, run.id, str(recorded), sha256, parity)


def _require_free(target: Path, force: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not force:
        raise UsageError(
            "The destination is not empty.", f"{target} holds files.", "Choose another folder, or add --force."
        )
    if not (target / CHECKSUMS).is_file():
        raise UsageError(
            "The destination is no release.",
            f"{target} has no {CHECKSUMS}, so it may hold something else; it is left alone.",
            "Choose another folder, or empty it yourself.",
        )


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder next to `target` that takes its place when the block ends well, and vanishes otherwise."""
    make_private_folder(target.parent)
    try:
        with _swept(target):
            folder = Path(tempfile.mkdtemp(prefix=f".{target.name}{_HALF}", dir=target.parent))
            try:
                yield folder
                _replace(target, folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise StoreError(
            "The release cannot be written.",
            f"{target}: {error.strerror or error}.",
            "Check the permissions and the free space, then try again.",
        ) from error


@contextlib.contextmanager
def _swept(target: Path) -> Iterator[None]:
    """While inside, no other export clears away what lies next to `target`; what a killed one left there is gone."""
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # held by another export; or this file system knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in target.parent.iterdir():
                # Killed between two renames, an export leaves the release that it replaced as the only one.
                only = left.name.endswith(_OLD) and not target.exists()
                if left.name.startswith(f".{target.name}{_HALF}") and not only:
                    shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _replace(target: Path, folder: Path) -> None:
    old = folder.with_name(folder.name + _OLD)
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _write_checksums(folder: Path) -> str:
    """Write SHA256SUMS over every other file, as `sha256sum -c` reads it; return the SHA-256 of that list."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    data = "".join(lines).encode()
    write_atomically(folder / CHECKSUMS, data)
    return hashlib.sha256(data).hexdigest()
