"""The page widget: it redraws only changed lines, wraps long ones, and has the height of its text."""

from collections.abc import Callable, Iterable

import pytest
from rich.color import Color
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.style import Style

from tests.tui.piloting import until
from tui.widgets.auto_height import Words
from tui.widgets.page import Page


class WordsApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Words("one")


class PageApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Page()


def rows(app: PageApp) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def background(segment: Segment) -> Color | None:
    return segment.style.bgcolor if segment.style is not None else None


async def test_only_changed_lines_are_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PageApp()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content("one"), Content("two"), Content("three")])
        await pilot.pause()
        dirty: list[Region] = []
        monkeypatch.setattr(page, "_set_dirty", lambda *regions: dirty.extend(regions))
        page.show([Content("one"), Content.styled("two", "bold"), Content("three")])
        assert dirty == [Region(0, 1, 20, 1)]
        page.show([Content("one"), Content.styled("two", "bold"), Content("three")])
        assert len(dirty) == 1


async def test_one_changed_line_of_many_is_the_only_one_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PageApp()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content(f"row {number}") for number in range(200)])
        await pilot.pause()
        drawn: list[str] = []
        render, unstyled = Content.render, Style.null()

        def recorded(
            content: Content,
            base_style: Style = unstyled,
            end: str = "\n",
            parse_style: Callable[[str | Style], Style] | None = None,
        ) -> Iterable[tuple[str, Style]]:
            drawn.append(content.plain)
            return render(content, base_style, end, parse_style)

        monkeypatch.setattr(Content, "render", recorded)
        page.show([Content("first" if number == 0 else f"row {number}") for number in range(200)])
        await until(pilot, lambda: rows(app)[0] == "first")
        assert [line for line in drawn if line] == ["first"]


async def test_mouse_selects_text_across_rows() -> None:
    app = PageApp()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content("one"), Content("a 世界 wide row"), Content("three"), Content("four")])
        await pilot.pause()
        await pilot.mouse_down(Page, offset=(4, 1))
        await pilot.hover(Page, offset=(3, 2))
        await until(pilot, lambda: app.screen.get_selected_text() == "界 wide row\nthre")
        for _ in range(2):
            strips = [page.render_line(y) for y in range(4)]
            plain = background(next(iter(strips[0])))
            assert ["".join(each.text for each in strip if background(each) != plain) for strip in strips] == [
                "",
                "界 wide row",
                "thre",
                "",
            ]
            page.show([Content("eins"), Content("a 世界 wide row"), Content("three"), Content("four")])
        await pilot.mouse_up(Page, offset=(3, 2))
        await pilot.click(Page, offset=(1, 5))
        await until(pilot, lambda: not app.screen.get_selected_text())


async def test_page_shows_the_latest_lines() -> None:
    app = PageApp()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        for lines in (["one", "two"], ["one", "deux", "three"], ["un", "deux", "trois"], ["end"]):
            page.show([Content(line) for line in lines], fill=3)
            await pilot.pause()
            assert [row for row in rows(app) if row] == lines
            assert page.plain == "\n".join(lines)
            assert page.size.height == 3


async def test_long_line_wraps_and_rewraps_when_the_width_changes() -> None:
    app = PageApp()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content("seven words that do not fit in"), Content("after")])
        await pilot.pause()
        assert [row for row in rows(app) if row] == ["seven words that do", "not fit in", "after"]
        await pilot.resize_terminal(40, 6)
        await pilot.pause()
        assert [row for row in rows(app) if row] == ["seven words that do not fit in", "after"]


async def test_height_is_correct_after_a_layout_between_two_updates() -> None:
    app = PageApp()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content("one")])
        app.screen._refresh_layout()  # as caused by a change in another widget
        page.show([Content("one"), Content("two"), Content("three")])
        await pilot.pause()
        assert page.size.height == 3


async def test_text_widget_has_the_height_of_its_latest_text() -> None:
    app = WordsApp()
    async with app.run_test(size=(20, 6)) as pilot:
        widget = app.query_one(Words)
        widget.update("one\ntwo")
        app.screen._refresh_layout()
        widget.update("one\ntwo\nthree")
        await pilot.pause()
        assert widget.size.height == 3
