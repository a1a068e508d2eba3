"""What the palette finds besides actions: a project's runs and evaluations, and other projects.

They are read on other threads when the palette opens, which does not wait for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher
from textual.markup import escape

from engine.clean import clean_line
from engine.errors import DistillError
from engine.wording import answers_pass
from tui.actions import PaneName
from tui.panes.parts import VERDICTS
from tui.panes.run.settings import configuration_text
from tui.panes.run.table import STATES, best
from tui.services.paths import those_there
from tui.services.runs import read_runs
from tui.services.store import StoreFailed
from tui.widgets.lines import format_time

if TYPE_CHECKING:
    from engine.records.evaluation import Evaluation
    from engine.records.run import Run
    from tui.services.store import StoreService

_OPENS = "Open this project."


class Opens(Protocol):
    """A screen that can open what was found."""

    store: "StoreService"

    def open_in(self, pane: PaneName, number: int) -> None:
        """Show a pane, and in it the item with this number."""


@dataclass(frozen=True, slots=True)
class Found:
    """One item: its pane and number; `title` is the text that is searched."""

    pane: PaneName
    number: int
    title: str
    help: str


class ProjectProvider(Provider):
    """Runs and evaluations of the project on the screen, newest first."""

    _found: tuple[Found, ...] = ()

    async def startup(self) -> None:
        """Read the runs and evaluations."""
        try:
            store = self._workspace.store
            rows = await store.answer(read_runs)
            evaluations = await store.answer(lambda project: project.evaluations.all())
        except DistillError as error:
            self.screen.post_message(StoreFailed(error))
        else:
            made = [_run(row.run) for row in reversed(rows)]
            self._found = (*made, *map(_evaluation, reversed(evaluations)))

    async def search(self, query: str) -> Hits:
        """Find matching items; without a query the palette only offers actions."""
        matcher = self.matcher(query)
        for each in self._found:
            if (score := matcher.match(each.title)) > 0:
                opened = partial(self._workspace.open_in, each.pane, each.number)
                yield Hit(score, highlighted(matcher, each.title), opened, text=each.title, help=escape(each.help))

    @property
    def _workspace(self) -> Opens:
        return cast("Opens", self.screen)  # the only screen that uses this provider


class Leads(Protocol):
    """The part of the app that opens other projects."""

    left: tuple[Path, ...]

    def show_project(self, folder: Path) -> None:
        """Show the workspace of a project."""


class OtherProjects(Provider):
    """Recently opened projects that still exist; their names are never read as markup."""

    _there: tuple[Path, ...] = ()

    async def startup(self) -> None:
        """Find which still exist."""
        self._there = await those_there(self._app.left)

    async def discover(self) -> Hits:
        """Offer all."""
        for title, opened in self._offered:
            yield DiscoveryHit(Content(title), opened, text=title, help=_OPENS)

    async def search(self, query: str) -> Hits:
        """Find matching projects."""
        matcher = self.matcher(query)
        for title, opened in self._offered:
            if (score := matcher.match(title)) > 0:
                yield Hit(score, highlighted(matcher, title), opened, text=title, help=_OPENS)

    @property
    def _app(self) -> Leads:
        return cast("Leads", self.app)

    @property
    def _offered(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for folder in self._there:
            yield f"Project {clean_line(folder.name)}", partial(self._app.show_project, folder)


def highlighted(matcher: Matcher, title: str) -> Content:
    """The title with matches highlighted; Textual's own version would read markup in it."""
    content = Content(title)
    _, offsets = matcher.fuzzy_search.match(matcher.query, title)
    for offset in offsets:
        content = content.stylize(matcher.match_style, offset, offset + 1)
    return content


def _run(run: "Run") -> Found:
    mark, _ = STATES[run.state_word]
    point = best(run)
    figures = ""
    if point is not None:
        figures = f"; {point.measure} {point.validation_kl:.3f}{answers_pass(point.all_rules_rate, point.asked)}"
    return Found(
        "run",
        run.id,
        clean_line(f"Run {run.id}   {configuration_text(run)}"),
        f"{mark} {run.state_word}, created {format_time(run.created_at)}{figures}.",
    )


def _evaluation(evaluation: "Evaluation") -> Found:
    word, _ = VERDICTS[evaluation.verdict]
    asked = f"{evaluation.questions:,} {evaluation.split} questions × {evaluation.samples}"
    return Found(
        "evaluation",
        evaluation.id,
        f"Evaluation {evaluation.id}   run {evaluation.run_id} · {asked} · {evaluation.verdict}",
        f"{word}, measured {format_time(evaluation.created_at)}.",
    )
