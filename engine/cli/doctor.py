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
    from engine.store.health import check_database, check_library

    findings = [*examine(invocation.home, os.environ), *(Finding(*row) for row in check_library())]
    try:
        project = invocation.project
    except UsageError:
        if invocation.project_name is not None:
            raise
    else:
        findings += [Finding(*row) for row in check_database(project.folder)]
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]} {finding.subject:<14} {finding.found}")
        if finding.next:
            lines.append(f"  {'':<14} {finding.next}")
    invocation.finish("\n".join(lines), {"findings": [dataclasses.asdict(finding) for finding in findings]})
    if any(finding.level == "failure" for finding in findings):
        raise DistillError("Something is broken.", "The findings above say what.", "Mend it, then run this again.")
