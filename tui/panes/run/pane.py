"""The run pane as a widget: passes keys into the state, asks the store, and shows what `drawing` draws."""

from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from engine.records.options import TrainOptions
from engine.training.facts import Basis
from engine.wording import counted
from tui.actions import PaneName, bindings
from tui.forms.late import open_late
from tui.forms.screen import FormScreen
from tui.forms.sure import is_sure, sure_form
from tui.keys import key_of
from tui.panes.job import JobView
from tui.panes.pane import Pane
from tui.panes.parts import is_ending
from tui.panes.run.drawing import draw
from tui.panes.run.settings import config_of, fields, guide, outlook, trouble
from tui.panes.run.state import RunState
from tui.panes.view import View
from tui.services.facts import Facts
from tui.services.runs import (
    BasisRead,
    RunAdded,
    RunDeleted,
    RunsRead,
    TraceRead,
    basis_of_training,
    read_runs,
    run_adder,
    run_deleter,
    trace_reader,
)
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

    def show(self, facts: Facts, job: JobView | None) -> None:
        """Take in what is known now; what only this pane shows is read when it has changed."""
        super().show(facts, job)
        self._read()

    @property
    def choices(self) -> Listing | None:
        """The runs of the table; the curves are a page."""
        state = self.state
        if not state.comparing:
            return None
        runs = [row.run for row in state.table]
        return Listing(
            state.row,
            self._move_row,
            lambda: [f"run {run.id} {run.state} {run.config.adapter_words} {run.reason}" for run in runs],
        )

    def open(self, number: int) -> None:
        """Show the run of this number."""
        self.state.open(number)
        self._read_traces()
        self.scroll_home(animate=False)
        self.redraw()

    def on_runs_read(self, message: RunsRead) -> None:
        """Take in the runs."""
        self.state.take(message.rows)
        self._read_traces()
        self.redraw()

    def on_trace_read(self, message: TraceRead[JobView]) -> None:
        """Take in what a run's logs tell."""
        self.state.traces[message.run.id] = message.view
        self.redraw()

    def on_basis_read(self, message: BasisRead) -> None:
        """Ask for the configuration of a new run."""
        basis = message.basis
        stations = self.view.facts.stations if self.view is not None else ()
        aged = next((each.note for each in stations if each.name == "dataset" and each.state == "stale"), "")
        stale = f"The dataset is stale: {aged}.\n" if aged else ""
        form = FormScreen(
            f"Train on {counted(basis.dataset.train, 'row')}, {basis.dataset.validation:,} for validation",
            fields(basis),
            go="train",
            aside=lambda values: stale + outlook(values, basis),
            whole=lambda values: trouble(values, basis),
            guide=lambda values: guide(values, basis),
        )
        open_late(form, partial(self._train, basis), self, "workspace.run", "run.train")

    def on_run_added(self, message: RunAdded) -> None:
        """Start the job that trains it."""
        self.store.start(TrainOptions(message.run.id))

    def on_run_deleted(self, message: RunDeleted) -> None:
        """Say so; the table is read anew when the store has told of it."""
        self.app.notify(message.said)
        self.store.read()

    def action_train(self) -> None:
        """Read what a training rests on; the form opens when it is there."""
        view = self.view
        if view is not None and view.facts.dataset is None:
            self.app.notify(f"There is no dataset to train on. {key_of('workspace.dataset')} shows how to freeze one.")
            return
        self.store.ask(basis_of_training, self)

    def action_keep(self) -> None:
        """End the training well."""
        job = self.view.job if self.view is not None else None
        if job is None or not job.live or job.station != "run":
            self.app.notify("Nothing trains now.")
            return
        if self.view is not None and is_ending(self.view, job):  # a second wish would take the place of the first
            self.app.notify(f"Job {job.job_id} is ending already.")
            return
        if not self.state.confirmed(job.job_id):
            once_more = f"{key_of('run.keep')} once more does it"
            self.app.notify(f"End the training now, with its best checkpoint? {once_more}.", severity="warning")
            return
        self.store.wish("keep", job.job_id)
        self.app.notify(f"Job {job.job_id} measures its run once more, then keeps the best.")

    async def action_pause(self) -> None:
        """Pause the job, or let it go on: the workspace does it."""
        await self.screen.run_action("pause")

    def action_compare(self) -> None:
        """Show the table of runs, or the curves."""
        self.state.comparing = not self.state.comparing
        self.scroll_home(animate=False)
        self.redraw()

    def action_overlay(self) -> None:
        """Lay the next earlier run over the curves."""
        if len(self.state.rows) < 2:
            self.app.notify("There is no earlier run to lay over this one.")
            return
        self.state.turn_overlay(self._shown_run)
        self._overlaid()

    def action_choose(self) -> None:
        """Lay the run under the table's cursor over the curves, or take it off."""
        if not self.state.comparing:
            return
        if not self.state.choose(self._shown_run):
            self.app.notify("That run is on the page already, or three lie over it.")
        self._overlaid()

    def action_delete(self) -> None:
        """Ask whether the run under the table's cursor shall go."""
        if not self.state.comparing or not self._shown_run:
            self.app.notify(f"Which run? {key_of('run.compare')} lists them all.")
            return
        row = self.state.table[self.state.row]
        number, evaluated = row.run.id, ", its evaluations with all their answers" if row.evaluation else ""
        words = f"With it go its adapter, its checkpoints, its curve{evaluated} and the votes on it, for good."

        def answered(values: dict[str, str] | None) -> None:
            if is_sure(values):
                self.store.ask(run_deleter(number), self)

        self.app.push_screen(sure_form(f"Delete run {number}?", words, "delete it"), answered)

    def action_log(self) -> None:
        """Turn the axis."""
        self.state.log = not self.state.log
        self.redraw()

    def action_smooth(self) -> None:
        """Smooth the training loss more, or not at all."""
        self.state.turn_smoothing()
        self.redraw()

    def action_later(self) -> None:
        """Move the cursor to the right."""
        self._move_cursor(1)

    def action_earlier(self) -> None:
        """Move the cursor to the left."""
        self._move_cursor(-1)

    def action_next_question(self) -> None:
        """Watch another question."""
        self.state.question += 1
        self.redraw()

    def action_previous_question(self) -> None:
        """Watch another question."""
        self.state.question -= 1
        self.redraw()

    def action_differing(self) -> None:
        """Show where student and teacher differ most, or the watched answers."""
        self.state.differing = not self.state.differing
        self.redraw()

    def action_back(self) -> None:
        """Leave the table, else take the cursor away, else show the newest run."""
        if self.state.comparing:
            self.action_compare()
            return
        if self.state.cursor is None:
            self.state.chosen = None
        self.state.cursor = None
        self._read_traces()
        self.redraw()

    @property
    def _shown_run(self) -> int:
        run = self.state.shown(self.view.facts) if self.view is not None else None
        return run.id if run is not None else 0

    def _train(self, basis: Basis, values: dict[str, str] | None) -> None:
        if values is not None:
            self.store.ask(run_adder(config_of(values, basis), basis.dataset.sha256), self)

    def _read(self) -> None:
        if self._shown is not None and self.state.stale(self._shown.facts):
            self.store.ask(read_runs, self)
        self._read_traces()

    def _read_traces(self) -> None:
        if (shown := self._shown) is not None:
            for number in self.state.missing_traces(shown.facts, shown.job):
                self.store.ask(trace_reader(number, partial(JobView, 0, "train")), self)

    def _overlaid(self) -> None:
        self._read_traces()
        self.redraw()

    def _move_cursor(self, by: int) -> None:
        view = self.view
        run = self.state.shown(view.facts) if view is not None else None
        if view is not None and run is not None and not self.state.comparing:
            self.state.move_cursor(by, run, self.state.trace(run, view.job))
            self.redraw()

    def _move_row(self, by: int) -> None:
        self.state.move_row(by)
        self.redraw()
