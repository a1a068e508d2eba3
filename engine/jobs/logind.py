"""Whether this machine ends a user's processes at logout, and how a job gets around it. Knows nothing of jobs."""

import os
import shutil
import subprocess
from dataclasses import dataclass

_ANSWERS_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Survival:
    """Words to put before a command so that it outlives the session, and what the person should know of it."""

    prefix: tuple[str, ...] = ()
    note: str = ""


def plan_survival() -> Survival:
    """How a process started now outlives its login session; plain where nothing threatens it.

    Only systemd's `KillUserProcesses=yes` ends processes of a session of their own. Costs one call of `loginctl`
    (about 10 ms) where that exists, nothing elsewhere.
    """
    if os.getuid() == 0 or shutil.which("loginctl") is None:
        return Survival()
    if _ask("loginctl", "show-session", "--property=KillUserProcesses", "--value") != "yes":
        return Survival()
    scope = ("systemd-run", "--user", "--scope", "--quiet", "--collect")
    if shutil.which("systemd-run") is None or _ask(*scope, "--", "true") is None:
        return Survival(
            note="This machine ends your processes when you log out (KillUserProcesses=yes) and `systemd-run --user` "
            "does not work here: stay logged in until the job is done."
        )
    if _ask("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value") == "yes":
        return Survival((*scope, "--"))
    return Survival(
        (*scope, "--"),
        "The job outlives this terminal, but not your last logout: `loginctl enable-linger` changes that.",
    )


def _ask(*command: str) -> str | None:
    """What the command prints; `None` where it fails or does not answer."""
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ANSWERS_WITHIN_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
