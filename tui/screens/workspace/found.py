"""What the palette finds in a project beside actions: its runs and its evaluations, by number and in words.

They are read when the palette is opened, on the store's thread; the palette does not wait for them.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import Hit, Hits, Provider
from textual.content import Content
from textual.fuzzy import Matcher
from textual.markup import escape

from engine.clean import clean_line
from engine.errors import DistillError
from tui.actions import PaneName
from tui.panes.parts import VERDICTS
from tui.panes.run.settings import configuration_words
from tui.panes.run.table import STATES, best
from tui.services.evaluation import read_evaluations
from tui.services.runs import read_runs
from tui.services.store import StoreFailed
from tui.widgets.lines import moment, share_of

if TYPE_CHECKING:
    from engine.records.evaluation import Evaluation
    from engine.records.run import Run
    from tui.services.store import StoreService


class Opens(Protocol):
    """A screen that shows what was found."""

    store: "StoreService"

    def open_in(self, pane: PaneName, number: int) -> None:
        """Show a pane, and in it what has this number."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that can be opened: in which pane, by which number; `title` is what is looked through."""

    pane: PaneName
    number: int
    title: str
    help: str


class ProjectProvider(Provider):
    """Runs and evaluations of the project whose screen the palette was opened on, the newest first."""

    _found: tuple[Found, ...] = ()

    async def startup(self) -> None:
        """Read what there is."""
        try:
            store = self._workspace.store
            runs, evaluations = await store.answer(read_runs), await store.answer(read_evaluations)
        except DistillError as error:
            self.screen.post_message(StoreFailed(error))
        else:
            made = [_run(row.run) for row in reversed(runs.rows)]
            self._found = (*made, *map(_evaluation, reversed(evaluations.evaluations)))

    async def search(self, query: str) -> Hits:
        """What the words are of; without any, the palette offers actions alone."""
        matcher = self.matcher(query)
        for each in self._found:
            if (score := matcher.match(each.title)) > 0:
                opened = partial(self._workspace.open_in, each.pane, each.number)
                yield Hit(score, highlighted(matcher, each.title), opened, text=each.title, help=escape(each.help))

    @property
    def _workspace(self) -> Opens:
        return cast("Opens", self.screen)  # which alone names this provider


def highlighted(matcher: Matcher, title: str) -> Content:
    """What was found in the title; Textual's own would read markup in it."""
    content = Content(title)
    _, offsets = matcher.fuzzy_search.match(matcher.query, title)
    for offset in offsets:
        content = content.stylize(matcher.match_style, offset, offset + 1)
    return content


def _run(run: "Run") -> Found:
    mark, _ = STATES[run.state]
    point = best(run)
    figures = f"; {point.measure} {point.validation_kl:.3f}" if point is not None else ""
    if point is not None and point.all_rules_rate is not None:
        figures += f", rules kept {share_of(point.all_rules_rate, point.asked)}"
    return Found(
        "run",
        run.id,
        clean_line(f"Run {run.id}   {configuration_words(run)}"),
        f"{mark} {run.state}, made {moment(run.created_at)}{figures}.",
    )


def _evaluation(evaluation: "Evaluation") -> Found:
    word, _ = VERDICTS[evaluation.verdict]
    asked = f"{evaluation.questions:,} {evaluation.split} questions × {evaluation.samples}"
    return Found(
        "evaluation",
        evaluation.id,
        f"Evaluation {evaluation.id}   run {evaluation.run_id} · {asked} · {evaluation.verdict}",
        f"{word}, measured {moment(evaluation.created_at)}.",
    )
