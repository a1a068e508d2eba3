"""Work caused by a key: typing needs no layout, and a focus change restyles few widgets."""

import pytest
from textual.app import App, ComposeResult
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen

from engine.paths import Home
from tests.tui.piloting import go_to_pane, open_app, until
from tests.tui.seeds import make_stage
from tui.panes.cost.pane import CostPane
from tui.widgets.line import Entry
from tui.widgets.page import Page


class OneField(App[int]):
    """A field and nothing else."""

    CSS = "Entry { width: 20; height: 1; border: none; padding: 0; }"

    def compose(self) -> ComposeResult:
        yield Entry(compact=True)


async def test_typing_scrolls_the_field_without_a_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    app = OneField()
    laid_out: list[bool] = []
    lay_out = Screen._refresh_layout
    monkeypatch.setattr(
        Screen, "_refresh_layout", lambda screen, *rest, **more: laid_out.append(True) or lay_out(screen, *rest, **more)
    )
    typed = "".join(str(number) for number in range(30))

    def row() -> str:
        return app.screen._compositor.render_strips()[0].text.strip()

    async with app.run_test(size=(40, 5)) as pilot:
        await until(pilot, lambda: app.focused is app.query_one(Entry) and bool(laid_out))
        await pilot.pause()
        laid_out.clear()
        await pilot.press(*typed)
        await until(pilot, lambda: row() == typed[-19:])
        await pilot.press("home")
        await until(pilot, lambda: row().startswith(typed[:19]))
        assert not laid_out


async def test_focus_change_restyles_only_the_fields_concerned(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await go_to_pane(pilot, 8, CostPane, lambda: app.screen.query_one(CostPane).state.page is not None)
        title = app.screen.query_one("CostPane .title", Page)
        await pilot.press("e")
        await until(pilot, lambda: "edits the figures" not in title.plain)
        restyled: set[str] = set()
        style = Stylesheet.apply
        monkeypatch.setattr(
            Stylesheet, "apply", lambda sheet, node, **more: restyled.add(node.id or "") or style(sheet, node, **more)
        )
        await pilot.press("tab", "escape")
        await until(pilot, lambda: "edits the figures" in title.plain)
        assert {"model", "requests_per_day"} <= restyled
        assert not restyled & {"figures", "columns", "pane-cost", "question_tokens"}
