"""Tells a person who looks elsewhere that long work has ended: which work that was, and what the terminal is sent.

Pure. A terminal that never tells whether it is looked at counts as looked at.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from rich.text import Text

from engine.clean import clean_line
from engine.records.job import LIVE_STATES, Job
from tui.settings import Bell

BELL = "\x07"
# The title that stood there is kept by the terminal, and comes back when the person does.
KEEP_TITLE = "\x1b[22;2t"
BRING_TITLE_BACK = "\x1b[23;2t"
_ENDS = {
    "done": "is done",
    "stopped": "stopped",
    "failed": "failed",
    "lost": "was killed",
}
_TITLE_CELLS = 80
LONG_COMMANDS = ("freeze", "import")  # what else ends is looked at while it works


class Endings:
    """Notices which jobs end from one reading to the next; those that had ended before are old news."""

    def __init__(self) -> None:
        self._live: set[int] = set()
        self.at_work: tuple[str, ...] = ()  # what the live ones do, by the last reading

    def read(self, jobs: Iterable[Job], ending: Collection[int] = ()) -> list[Job]:
        """The jobs that ended since the last reading. `ending`: those that were asked to, and go on no longer."""
        now = list(jobs)
        ended = [job for job in now if job.id in self._live and job.state not in LIVE_STATES]
        live = [job for job in now if job.state in LIVE_STATES]
        self._live = {job.id for job in live}
        self.at_work = tuple(dict.fromkeys(job.kind for job in live if job.id not in ending))
        return ended


def words(project: str, job: Job) -> str:
    """What is said of a job that ended."""
    return f"{project}: {job.kind} {_ENDS[job.state]}"


def command_words(project: str, name: str, *, failed: bool) -> str:
    """What is said of a command that ended."""
    return f"{project}: {name} {_ENDS['failed' if failed else 'done']}"


def parting(folder: Path | None, at_work: Sequence[str]) -> Text:
    """What is said to a person who leaves the project in `folder`; nothing where nothing is at work."""
    if folder is None or not at_work:
        return Text()
    go = "goes" if len(at_work) == 1 else "go"
    return Text(f"{clean_line(folder.name)}: {' and '.join(at_work)} {go} on; distill-tui shows it again.")


def rings(bell: Bell, *, looked_at: bool) -> bool:
    """Whether this setting rings now."""
    return bell == "always" or (bell == "blur" and not looked_at)


def title(text: str) -> str:
    """What sets the title of the terminal's window; the text is foreign."""
    return f"\x1b]2;{clean_line(text, _TITLE_CELLS)}\x07"
