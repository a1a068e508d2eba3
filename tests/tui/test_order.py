"""What is typed in a burst comes into a field in its order, whatever lies between the letters."""

from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Input, TextArea

from tests.tui.piloting import until
from tui.panes.chat.question import QuestionField
from tui.panes.prompt.editor import DocumentArea
from tui.widgets.line import Entry

FIELDS = [Entry, DocumentArea, QuestionField]


class Typed(App[None]):
    def __init__(self, field: type[Input] | type[TextArea]) -> None:
        super().__init__()
        self._field = field

    def compose(self) -> ComposeResult:
        yield self._field()
        yield Input(id="next")

    @property
    def text(self) -> str:
        field = self.query(self._field).first()
        return field.value if isinstance(field, Input) else field.text


def burst(app: App[None], keys: Sequence[str]) -> None:
    """All at once, as a slow line brings them: none waits for what the one before does."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ((*"cat", "ctrl+u", *"dog"), "dog"),
        ((*"cat", "left", "left", *"oo"), "cooat"),
        ((*"cat", "backspace", *"r", "home", *"s"), "scar"),
        ((*"cat", "ctrl+w", *"dog", "left", "delete", *"t"), "dot"),
    ],
)
async def test_keys_are_done_in_their_order(field: type[Input], keys: Sequence[str], text: str) -> None:
    app = Typed(field)
    async with app.run_test() as pilot:
        app.query(field).first().focus()
        await pilot.pause()
        burst(app, keys)
        await until(pilot, lambda: sorted(app.text) == sorted(text))
        assert app.text == text
