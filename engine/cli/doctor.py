"""`distill-tui doctor`: checks this machine and the project's database, and says what to do about each finding."""

import dataclasses
import os

import click

from engine.cli.invocation import Invocation, command_options
from engine.errors import DistillError, UsageError

_MARKS = {"ok": "✓", "warning": "!", "failure": "✗"}


@click.command("doctor")
@command_options
def command(invocation: Invocation) -> None:
    """Check this machine, and the current project where there is one. Fails when something is broken."""
    from engine.doctor import Finding, examine
    from engine.store.health import library

    findings = [*examine(invocation.home, os.environ), Finding("sqlite", "ok", library())]
    try:
        project = invocation.project
    except UsageError:
        if invocation.project_name is not None:
            raise
    else:
        damage = project.check()
        findings.append(
            Finding("database", "failure", "; ".join(damage[:3]), "Copy it away, then restore a backup.")
            if damage
            else Finding("database", "ok", f"{project.name} is whole")
        )
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]} {finding.subject:<14} {finding.found}")
        if finding.next:
            lines.append(f"  {'':<14} {finding.next}")
    invocation.finish("\n".join(lines), {"findings": [dataclasses.asdict(finding) for finding in findings]})
    if any(finding.level == "failure" for finding in findings):
        raise DistillError("Something is broken.", "The findings above say what.", "Mend it, then run this again.")
