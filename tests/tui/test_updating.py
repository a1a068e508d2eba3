"""An update from the app: what a change touches is shown before anything is done, and how it ended is said."""

from collections.abc import Sequence

import pytest
from textual.widgets import Static

from engine.errors import DistillError
from engine.paths import Home
from engine.records.prompt import Message, Prompt
from tests.tui.piloting import SIZES, form_of, open_app, shown, until, workspace
from tests.tui.seeds import PROMPT, add_dataset, add_examples, make_project
from tui.app import DistillApp
from tui.screens.workspace.updating import UPDATE, plan_words
from tui.services.program import CommandEnded, Program


def told(app: DistillApp) -> set[str]:
    return {note.message for note in app._notifications}


@pytest.mark.parametrize("size", SIZES)
async def test_the_plan_is_shown_and_carried_out_only_when_a_person_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    with make_project(home) as project:
        add_examples(project)
        add_dataset(project)
        project.prompts.set(Prompt((Message("system", "You answer for a bank."), *PROMPT.messages[1:])))
        folder = project.folder
    begun: list[tuple[str, ...]] = []
    plainly = Program.start

    def start(self: Program, name: str, words: Sequence[str]) -> None:
        if name == UPDATE:
            begun.append((name, *words))
        else:
            plainly(self, name, words)

    monkeypatch.setattr(Program, "start", start)
    app = open_app(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("B")
        await until(pilot, lambda: bool(app.screen.query("#aside")), seconds=60)
        form = await form_of(pilot)
        assert "From prompt version 1 to 2:" in str(form.query_one("#aside", Static).visual)
        assert begun == []
        await pilot.press("2", "enter")
        await until(pilot, lambda: begun == [(UPDATE, "update", "--epochs", "2")])
        await pilot.press("B")
        await until(pilot, lambda: "The update is at work." in told(app))
        screen = workspace(app)
        screen.post_message(CommandEnded(UPDATE, {"run": 2, "earlier_run": 1, "report": {"verdict": "pass"}}, None))
        await until(
            pilot, lambda: "Brought up to date: run 2, run 1 beside it; verdict: pass. 6 shows it." in told(app)
        )
        screen.post_message(CommandEnded(UPDATE, None, DistillError("It stopped.", "", "Go on.")))
        await until(pilot, lambda: any("It stopped." in words for words in told(app)))


async def test_without_a_dataset_there_is_nothing_to_update(home: Home) -> None:
    with make_project(home) as project:
        folder = project.folder
    app = open_app(home, folder)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: shown(app) != "")
        await pilot.press("B")
        await until(pilot, lambda: any("curate freeze" in words for words in told(app)), seconds=60)


def test_a_long_plan_is_cut_visibly_and_its_text_stays_words() -> None:
    words = plan_words({"text": "\n".join(f"line {number} \x1b[31m" for number in range(20))}).splitlines()
    assert len(words) == 15
    assert words[-1] == "and 6 more lines: distill-tui update --plan"
    assert not any("\x1b" in line for line in words)
