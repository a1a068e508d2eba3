"""Whether this machine ends a user's processes at logout, and how a job gets around it. Knows nothing of jobs."""

import os
import shutil
import subprocess
from dataclasses import dataclass

_ANSWERS_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Survival:
    """A prefix for a command so that it outlives the session; what ends it all the same, and what to do about that."""

    prefix: tuple[str, ...] = ()
    trouble: str = ""
    advice: str = ""


def plan_survival() -> Survival:
    """Return how a process started now can outlive its login session; empty if it does so anyway.

    Only systemd's `KillUserProcesses=yes` ends processes in their own session. Costs one call of `loginctl` (about
    10 ms) if that is installed, otherwise nothing.
    """
    if os.getuid() == 0 or shutil.which("loginctl") is None:
        return Survival()
    if _ask("loginctl", "show-session", "--property=KillUserProcesses", "--value") != "yes":
        return Survival()
    scope = ("systemd-run", "--user", "--scope", "--quiet", "--collect")
    if shutil.which("systemd-run") is None or _ask(*scope, "--", "true") is None:
        return Survival(
            trouble="This machine ends your processes when you log out (KillUserProcesses=yes), and "
            "`systemd-run --user` does not work here.",
            advice="Stay logged in while a job runs.",
        )
    if _ask("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value") == "yes":
        return Survival((*scope, "--"))
    return Survival(
        (*scope, "--"),
        "Jobs outlive this terminal, but not your last logout.",
        "To change that, run `loginctl enable-linger`.",
    )


def _ask(*command: str) -> str | None:
    """Return what the command prints; None if it fails or does not answer."""
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ANSWERS_WITHIN_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
