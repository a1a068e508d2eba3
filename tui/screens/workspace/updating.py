"""Bringing a project up to date after its prompt or rules changed: the plan is shown first, then carried out.

Both are the program's own command; its jobs are watched as any other, and it goes on where the app is left.
"""

from collections.abc import Mapping
from pathlib import Path

from textual.screen import Screen

from engine.clean import clean_line, clean_text
from engine.paths import Home
from tui.keys import key_of
from tui.panes.checks import number, or_empty
from tui.screens.form.screen import Field, FormScreen
from tui.services.program import Answer, CommandEnded, Program

PLAN, UPDATE = "plan an update", "update"
_LINES = 14  # of the plan, so that the form fits a small screen
_MOST_EPOCHS = 1000.0


class Updating:
    """The update of one project. `screen` gets the messages of the commands, and hands them on."""

    def __init__(self, folder: Path, home: Home, screen: Screen[None]) -> None:
        self._screen = screen
        self._program = Program(folder, home, screen)
        self._busy = False

    def plan(self) -> None:
        """Find out what the changes touch; the form opens when that is known."""
        if self._busy:
            self._say("The update is at work.")
        else:
            self._busy = True
            self._say("Looking at what the changes touch …", seconds=3)
            self._program.start(PLAN, ["update", "--plan"])

    def take(self, message: CommandEnded) -> None:
        """Show the plan, or say how the update ended; other commands' messages are not its business."""
        if message.name not in (PLAN, UPDATE):
            return
        self._busy = False
        answer, error = message.answer, message.error
        if error is not None or answer is None:
            self._screen.notify(clean_text(str(error)), severity="error", markup=False)
        elif message.name == PLAN:
            self._ask(answer)
        else:
            self._say(ended_words(answer), seconds=20)

    def _ask(self, answer: Answer) -> None:
        def answered(values: dict[str, str] | None) -> None:
            if values is not None:
                self._busy = True
                epochs = ["--epochs", values["epochs"]] if values["epochs"] else []
                self._program.start(UPDATE, ["update", *epochs])
                self._say(f"The update began; {key_of('workspace.follow')} shows the pane where it works.")

        check = or_empty(number(0.01, _MOST_EPOCHS))
        fields = [Field("epochs", "epochs", "", "a quarter of the earlier run's", check=check)]
        words = plan_words(answer)
        self._screen.app.push_screen(
            FormScreen("Bring it up to date", fields, go="update", aside=lambda _values: words), answered
        )

    def _say(self, words: str, seconds: float = 5) -> None:
        self._screen.notify(words, markup=False, timeout=seconds)


def plan_words(answer: Answer) -> str:
    """The plan that the command printed, in a few lines."""
    lines = [clean_line(line) for line in str(answer.get("text", "")).splitlines()]
    left = len(lines) - _LINES
    more = [f"and {left} more lines: distill-tui update --plan"] if left > 0 else []
    return "\n".join([*lines[:_LINES], *more])


def ended_words(answer: Answer) -> str:
    """What came of the update."""
    report = answer.get("report")
    verdict = report.get("verdict") if isinstance(report, Mapping) else None
    beside = f", run {answer['earlier_run']} beside it" if answer.get("earlier_run") is not None else ""
    shows = f"{key_of('workspace.evaluation')} shows it"
    return clean_line(f"Brought up to date: run {answer.get('run')}{beside}; verdict: {verdict}. {shows}.")
