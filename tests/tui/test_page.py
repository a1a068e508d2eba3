"""Lines on the screen: what changed is drawn, and only that."""

from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region

from tui.widgets.auto_height import Words
from tui.widgets.page import Page


class Saying(App[None]):
    def compose(self) -> ComposeResult:
        yield Words("one")


class Showing(App[None]):
    def compose(self) -> ComposeResult:
        yield Page()


def rows(app: Showing) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def test_only_changed_lines_are_asked_to_be_drawn(monkeypatch) -> None:
    app = Showing()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content("one"), Content("two"), Content("three")])
        await pilot.pause()
        asked: list[Region] = []
        monkeypatch.setattr(page, "_set_dirty", lambda *regions: asked.extend(regions))
        page.show([Content("one"), Content.styled("two", "bold"), Content("three")])
        assert asked == [Region(0, 1, 20, 1)]
        page.show([Content("one"), Content.styled("two", "bold"), Content("three")])
        assert len(asked) == 1


async def test_what_is_shown_is_what_was_given_last() -> None:
    app = Showing()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        for lines in (["one", "two"], ["one", "deux", "three"], ["un", "deux", "trois"], ["end"]):
            page.show([Content(line) for line in lines], fill=3)
            await pilot.pause()
            assert [row for row in rows(app) if row] == lines
            assert page.plain == "\n".join(lines)
            assert page.size.height == 3


async def test_a_long_line_takes_several_rows_and_follows_the_width() -> None:
    app = Showing()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content("seven words that do not fit in"), Content("after")])
        await pilot.pause()
        assert [row for row in rows(app) if row] == ["seven words that do", "not fit in", "after"]
        await pilot.resize_terminal(40, 6)
        await pilot.pause()
        assert [row for row in rows(app) if row] == ["seven words that do not fit in", "after"]


async def test_a_layout_between_two_changes_leaves_the_later_one_its_height() -> None:
    app = Showing()
    async with app.run_test(size=(20, 6)) as pilot:
        page = app.query_one(Page)
        page.show([Content("one")])
        app.screen._refresh_layout()  # what another widget's change brings about
        page.show([Content("one"), Content("two"), Content("three")])
        await pilot.pause()
        assert page.size.height == 3


async def test_words_have_the_height_of_the_newest_ones() -> None:
    app = Saying()
    async with app.run_test(size=(20, 6)) as pilot:
        words = app.query_one(Words)
        words.update("one\ntwo")
        app.screen._refresh_layout()
        words.update("one\ntwo\nthree")
        await pilot.pause()
        assert words.size.height == 3
