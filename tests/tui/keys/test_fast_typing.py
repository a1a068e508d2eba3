"""Keys that arrive in a burst take effect in order, editing keys between letters included."""

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


class OneField(App[None]):
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


def post_at_once(app: App[None], keys: Sequence[str]) -> None:
    """Post all keys at once, as a slow connection delivers them, without waiting for their effects."""
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
async def test_keys_take_effect_in_order(field: type[Input], keys: Sequence[str], text: str) -> None:
    app = OneField(field)
    async with app.run_test() as pilot:
        app.query(field).first().focus()
        await pilot.pause()
        post_at_once(app, keys)
        await until(pilot, lambda: sorted(app.text) == sorted(text))
        assert app.text == text
