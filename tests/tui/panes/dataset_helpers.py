"""What the tests of the dataset pane share: driving it, a tokenizer, and a project with refused answers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from textual.pilot import Pilot

from engine.paths import Home
from engine.records.example import Decision
from engine.records.prompt import Message, Prompt
from tests.tui.piloting import go_to_pane, pane_of, text_of, until
from tests.tui.seeds import PROMPT, add_examples, make_project
from tui.app import DistillApp
from tui.panes.dataset.pane import DatasetPane

OVERLAP = "You answer for Meridian, a bank. Begin with a risk score, then two"  # 13 words of the system message


class CharacterTokenizer:
    """A tokenizer whose ids are character codes."""

    def question_ids(self, messages: Sequence[Message]) -> list[int]:
        return [ord(letter) for message in messages for letter in message.content]

    def prompted_ids(self, prompt: Prompt, messages: Sequence[Message]) -> list[int]:
        return self.question_ids((*prompt.messages, *messages))

    def completion_ids(self, answer: str) -> list[int]:
        return [ord(letter) for letter in answer]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def token_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        return [(place, place + 1) for place in range(len(ids))]

    def check_length(self, ids: Sequence[int], what: str) -> None:
        pass


pane = partial(pane_of, kind=DatasetPane)
text = partial(text_of, kind=DatasetPane)


async def open_pane(pilot: Pilot[int], app: DistillApp) -> None:
    await go_to_pane(pilot, 4, DatasetPane, lambda: text(app) != "")


@asynccontextmanager
async def looking(
    home: Home, folder: Path, size: tuple[int, int], expected: str
) -> AsyncIterator[tuple[Pilot[int], DistillApp]]:
    """Run the app on the project in `folder` with its dataset pane open, once it shows `expected`."""
    app = DistillApp(home, folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_pane(pilot, app)
        await until(pilot, lambda: expected in text(app))
        yield pilot, app


def make_overlapping(home: Home) -> Path:
    """Two accepted answers repeat words of the prompt, and one repeats a whole message."""
    with make_project(home) as project:
        add_examples(project)
        project.decisions.decide(
            [
                Decision(1, "edit", "person", f"RISK SCORE: 1. {OVERLAP}."),
                Decision(3, "edit", "person", f"RISK SCORE: 2. {OVERLAP}."),
                Decision(4, "edit", "person", f"I was told: {PROMPT.system}"),
            ]
        )
        return project.folder
