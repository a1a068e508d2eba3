"""What the tests of the examples pane share: driving the pane and its form."""

from functools import partial

from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.piloting import form_aside, go_to_pane, pane_of, text_of, until, wait_for_form
from tui.app import DistillApp
from tui.forms.screen import FormScreen
from tui.panes.examples.pane import ExamplesPane

pane = partial(pane_of, kind=ExamplesPane)
text = partial(text_of, kind=ExamplesPane)


async def open_pane(pilot: Pilot[int], app: DistillApp, expected: str = "Examples") -> None:
    await go_to_pane(pilot, 3, ExamplesPane, lambda: expected in text(app))


async def form_showing(pilot: Pilot[int], app: DistillApp, expected: str) -> FormScreen:
    """The open form, once the note beside it contains `expected`."""
    form = await wait_for_form(pilot)
    await until(pilot, lambda: expected in form_aside(app))
    return form


def fill_in(form: FormScreen, **values: str) -> None:
    for name, value in values.items():
        form.query_one(f"#field-{name}", Input).value = value
