"""`distill-tui doctor`: checks this machine and the project's database, and says how to fix each problem."""

import dataclasses
import os

import click

from engine.cli.invocation import Invocation, command_options
from engine.errors import DistillError, StoreError, UsageError

_MARKS = {"ok": "✓", "warning": "!", "failure": "✗"}


@click.command("doctor")
@command_options
def command(invocation: Invocation) -> None:
    """Check this machine, and the current project if there is one. Fails if something is broken."""
    from engine.doctor import Examination, examine
    from engine.store.connection import SQLITE_VERSION

    findings = [*examine(invocation.home, os.environ), Examination("sqlite", "ok", SQLITE_VERSION)]
    try:
        project = invocation.project
    except UsageError:
        if invocation.project_name is not None:
            raise
    except StoreError as error:
        findings.append(Examination("database", "failure", f"{error.title} {error.message}", error.next))
    else:
        damage = project.check()
        findings.append(
            Examination("database", "failure", "; ".join(damage[:3]), "Make a copy of the file, then restore a backup.")
            if damage
            else Examination("database", "ok", f"{project.name} is intact")
        )
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]} {finding.subject:<14} {finding.found}")
        if finding.next:
            lines.append(f"  {'':<14} {finding.next}")
    rows: dict[str, object] = {"findings": [dataclasses.asdict(finding) for finding in findings]}
    if not any(finding.level == "failure" for finding in findings):
        invocation.finish("\n".join(lines), rows)
        return
    broken = DistillError("Some checks failed.", "The findings say which.", "Fix them, then run this command again.")
    invocation.finish_failed("\n".join(lines), rows, broken)
