"""Notifies a user who is looking elsewhere that long work has ended: which work, and what to send to the terminal.

A terminal that never reports its focus counts as focused.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from rich.text import Text

from engine.clean import clean_line
from engine.records.job import LIVE_STATES, Job
from tui.settings import Bell

BELL = "\x07"
# The terminal saves its earlier title, which is restored when the user comes back.
KEEP_TITLE = "\x1b[22;2t"
BRING_TITLE_BACK = "\x1b[23;2t"
_TITLE_CELLS = 80
LONG_COMMANDS = ("freeze", "import")  # other commands are short enough to watch


class Endings:
    """Detects which jobs ended between two readings; those that had ended before are ignored."""

    def __init__(self) -> None:
        self._live: set[int] = set()
        self.at_work: tuple[str, ...] = ()  # the kinds of the live jobs, by the last reading

    def read(self, jobs: Iterable[Job], ending: Collection[int] = ()) -> list[Job]:
        """Return the jobs that ended since the last reading. `ending`: those asked to stop, which do not continue."""
        now = list(jobs)
        ended = [job for job in now if job.id in self._live and job.state not in LIVE_STATES]
        live = [job for job in now if job.state in LIVE_STATES]
        self._live = {job.id for job in live}
        self.at_work = tuple(dict.fromkeys(job.kind for job in live if job.id not in ending))
        return ended


class Ringing:
    """Rings the bell, with the reason as the window's title, until the user is back."""

    def __init__(self, send: Callable[[str], None]) -> None:
        """`send` gives a sequence to the terminal."""
        self._send = send
        self._titled = False

    def ring(self, text: str) -> None:
        """Ring for this reason."""
        self._send(BELL)
        self._send(("" if self._titled else KEEP_TITLE) + title(text))
        self._titled = True

    def end(self) -> None:
        """Restore the window's own title."""
        if self._titled:
            self._titled = False
            self._send(BRING_TITLE_BACK)


def words(project: str, job: Job) -> str:
    """The message about a job that ended."""
    return f"{project}: {job.kind} {job.state_text}"


def command_words(project: str, name: str, *, failed: bool) -> str:
    """The message about a command that ended."""
    return f"{project}: {name} {'failed' if failed else 'is done'}"


def parting(folder: Path | None, at_work: Sequence[str]) -> Text:
    """The message to a user who quits with the project in `folder` open; empty if no job is running."""
    if folder is None or not at_work:
        return Text()
    are = "is" if len(at_work) == 1 else "are"
    return Text(f"{clean_line(folder.name)}: {' and '.join(at_work)} {are} still running. Run distill-tui to return.")


def rings(bell: Bell, *, looked_at: bool) -> bool:
    """Whether the bell rings with this setting."""
    return bell == "always" or (bell == "blur" and not looked_at)


def title(text: str) -> str:
    """The sequence that sets the title of the terminal's window to this foreign text."""
    return f"\x1b]2;{clean_line(text, _TITLE_CELLS)}\x07"
