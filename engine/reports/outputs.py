"""A report as output: a file, written completely or not at all, or the few lines that a command ends with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from engine.paths import write_atomically
from engine.project import Project
from engine.reports.build import brief, build
from engine.reports.document import Document
from engine.reports.facts import read_report
from engine.reports.html import to_html
from engine.reports.markdown import to_markdown
from engine.reports.text import to_text

Form = Literal["html", "markdown"]
_DRAWN: Mapping[Form, Callable[[Document], str]] = {"html": to_html, "markdown": to_markdown}


def write_report(document: Document, path: Path, form: Form) -> Path:
    """Write the report, readable by its owner only, replacing any existing file; return the path.

    Raises `StoreError` if it cannot be written.
    """
    write_atomically(path, _DRAWN[form](document).encode())
    return path


def brief_text(project: Project, run_id: int | None = None) -> str:
    """Return the rules and the verdict of the latest evaluation, optionally of one run.

    Raises NotFoundError that names the next command.
    """
    return to_text(brief(build(read_report(project, run_id))))
