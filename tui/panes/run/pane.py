"""The run pane as a widget: passes keys to the state, queries the store, and shows what `drawing` draws."""

from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from engine.training.facts import Basis, read_basis
from engine.training.outlook import outlook_text
from engine.wording import counted
from tui.actions import PaneName, bindings
from tui.forms.confirm import confirm
from tui.forms.opening import open_if_shown
from tui.forms.screen import FormScreen
from tui.keys import key_of
from tui.panes.pane import Pane
from tui.panes.run.drawing import draw
from tui.panes.run.settings import config_of, fields, guide, trouble
from tui.panes.run.state import RunState
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.job_view import JobView
from tui.services.runs import RunRow, add_run, read_runs, remove_run, trace_of
from tui.services.store import StoreService
from tui.widgets.listing import Listing


class RunPane(Pane):
    """The training of one adapter."""

    place: ClassVar[PaneName] = "run"
    BINDINGS: ClassVar[list[BindingType]] = bindings("run")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = RunState()

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view, self.state)

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """The newest run, the evaluations, the jobs and the number of runs."""
        run, job = facts.run, facts.newest_job
        return (
            (run.id, run.state, run.step, run.best_step) if run else None,
            facts.evaluation.id if facts.evaluation else 0,
            len(facts.jobs),
            [station.count for station in facts.stations if station.name == "run"],  # an older run may be deleted
            job.done if job and job.kind == "train" else 0,  # it may continue an older run
        )

    def read(self) -> None:
        """Read the runs; their traces are read once they are known."""
        self.store.ask(read_runs, self._take, self)

    def read_again(self) -> None:
        """Read again what could not be read, the logs too."""
        if self._unread:
            self.state.ask_again()
        super().read_again()

    def show(self, facts: Facts, job: JobView | None) -> None:
        """Show new facts; read the logs of the runs on the page if they have changed."""
        super().show(facts, job)
        self._read_traces()

    @property
    def choices(self) -> Listing | None:
        """The runs in the table; the curves have no rows to choose from."""
        state = self.state
        if not state.comparing:
            return None
        runs = [row.run for row in state.table]
        return Listing(
            state.row,
            self._move_row,
            lambda: [f"run {run.id} {run.state_word} {run.config.adapter_text} {run.reason}" for run in runs],
        )

    @property
    def unavailable(self) -> frozenset[str]:
        """Going back, from the curves of the newest run."""
        return frozenset() if self.state.is_over else frozenset({"run.back"})

    def open(self, number: int) -> None:
        """Show the run with this number."""
        self.state.open(number)
        self._read_traces()
        self.scroll_home(animate=False)
        self.redraw()

    def action_train(self) -> None:
        """Read what the training form needs; the form opens when that has arrived."""
        if self.facts is not None and self.facts.dataset is None:
            there = key_of("workspace.dataset")
            self.app.notify(f"There is no dataset to train on. Go to Dataset ({there}) to freeze one.")
            return
        self.store.ask(read_basis, self._ask_to_train, self)

    def action_keep(self) -> None:
        """End the training as done and keep its best checkpoint."""
        job = self.job
        if job is None or not job.live or job.station != "run":
            self.app.notify("No training is running.")
            return
        if self.facts is not None and job.job_id in self.facts.ending:  # a second request would replace the first
            self.app.notify(f"Job {job.job_id} is already stopping.")
            return
        number = job.job_id

        def keep() -> None:
            self.store.send("keep", number)
            self.app.notify(f"Job {number} evaluates its run once more, then keeps the best checkpoint.")

        words = "The best checkpoint so far becomes the run's adapter. The remaining steps will not be trained."
        confirm(self.app, "End the training now?", words, "end it", keep)

    async def action_pause(self) -> None:
        """Pause or resume the job, through the workspace."""
        await self.screen.run_action("pause")

    def action_compare(self) -> None:
        """Show the table of runs, or the curves."""
        self.state.comparing = not self.state.comparing
        self.scroll_home(animate=False)
        self.redraw()

    def action_overlay(self) -> None:
        """Overlay the next other run on the curves."""
        if len(self.state.rows) < 2:
            self.app.notify("There is no other run to overlay.")
            return
        self.state.turn_overlay(self._shown_run)
        self._overlaid()

    def action_choose(self) -> None:
        """Overlay the run under the table's cursor on the curves, or remove the overlay."""
        if not self.state.comparing:
            return
        if not self.state.choose(self._shown_run):
            self.app.notify("That run is already shown, or three runs are overlaid.")
        self._overlaid()

    def action_delete(self) -> None:
        """Ask whether to delete the run under the table's cursor."""
        if not self.state.comparing:
            self.app.notify(f"Which run? Press {key_of('run.compare')} to list them all.")
            return
        if not self.state.table:
            self.app.notify("No run is listed.")
            return
        row = self.state.table[self.state.row]
        number, evaluated = row.run.id, ", evaluations with all their answers," if row.evaluation else ""
        words = f"Its adapter, checkpoints, curve{evaluated} and votes will be deleted permanently."

        def delete() -> None:
            self.store.ask(lambda project: remove_run(project, number), self._deleted, self)

        confirm(self.app, f"Delete run {number}?", words, "delete it", delete)

    def action_log(self) -> None:
        """Switch between a linear and a logarithmic axis."""
        self.state.log = not self.state.log
        self.redraw()

    def action_smooth(self) -> None:
        """Smooth the training loss more; after the strongest smoothing, not at all."""
        self.state.turn_smoothing()
        self.redraw()

    def action_later(self) -> None:
        """Move the cursor to the right."""
        self._move_cursor(1)

    def action_earlier(self) -> None:
        """Move the cursor to the left."""
        self._move_cursor(-1)

    def action_next_question(self) -> None:
        """Watch the next question."""
        self.state.question += 1
        self.redraw()

    def action_previous_question(self) -> None:
        """Watch the previous question."""
        self.state.question -= 1
        self.redraw()

    def action_differing(self) -> None:
        """Switch between the tokens where student and teacher differ most and the watched answers."""
        self.state.differing = not self.state.differing
        self.redraw()

    def action_back(self) -> None:
        """Leave the table, else remove the cursor, else leave the differences, else show the newest run."""
        if self.state.comparing:
            self.action_compare()
            return
        if self.state.cursor is not None:
            self.state.cursor = None
        elif self.state.differing:
            self.state.differing = False
        else:
            self.state.chosen = None
        self._read_traces()
        self.redraw()

    @property
    def _shown_run(self) -> int:
        run = self.state.shown(self.facts) if self.facts is not None else None
        return run.id if run is not None else 0

    def _take(self, rows: tuple[RunRow, ...]) -> None:
        self.state.take(rows)
        self._read_traces()
        self.redraw()

    def _take_trace(self, number: int, trace: JobView) -> None:
        self.state.take_trace(number, trace)
        self.redraw()

    def _ask_to_train(self, basis: Basis) -> None:
        """Open the form for the configuration of a new run."""
        stations = self.facts.stations if self.facts is not None else ()
        aged = next((each.note for each in stations if each.name == "dataset" and each.state == "stale"), "")
        stale = f"The dataset is stale: {aged}.\n" if aged else ""
        form = FormScreen(
            f"Train on {counted(basis.dataset.train, 'row')}, {basis.dataset.validation:,} for validation",
            fields(basis),
            go="train",
            aside=lambda values: stale + outlook_text(config_of(values, basis), basis),
            pending=stale,
            whole=lambda values: trouble(values, basis),
            guide=lambda values: guide(values, basis),
        )
        open_if_shown(form, partial(self._train, basis), self, "workspace.run", "run.train")

    def _train(self, basis: Basis, values: dict[str, str] | None) -> None:
        if values is not None:
            config, dataset = config_of(values, basis), basis.dataset.sha256
            self.store.start(lambda project: add_run(project, config, dataset), self)

    def _deleted(self, notice: str) -> None:
        """Confirm it; the table is read again when the store reports the change."""
        self.app.notify(notice)
        self.store.read()

    def _read_traces(self) -> None:
        if self.facts is not None:
            for number in self.state.missing_traces(self.facts, self.job):
                self.store.ask(partial(trace_of, run_id=number), partial(self._take_trace, number), self)

    def _overlaid(self) -> None:
        self._read_traces()
        self.redraw()

    def _move_cursor(self, by: int) -> None:
        run = self.state.shown(self.facts) if self.facts is not None else None
        if run is not None and not self.state.comparing:
            self.state.move_cursor(by, run, self.state.trace(run, self.job))
            self.redraw()

    def _move_row(self, by: int) -> None:
        self.state.move_row(by)
        self.redraw()
