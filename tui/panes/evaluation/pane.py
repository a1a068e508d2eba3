"""The evaluation pane as a widget: passes keys to the state, queries the store, and shows what `drawing` draws."""

from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.dom import DOMNode

from engine.clean import clean_line
from engine.errors import DistillError
from engine.records.evaluation import Evaluation
from tui.actions import PaneName, Place, bindings
from tui.forms.opening import open_if_shown
from tui.forms.screen import FormScreen
from tui.keys import key_of
from tui.panes.evaluation.drawing import draw, measuring
from tui.panes.evaluation.settings import (
    fields,
    improvement,
    improvement_fields,
    nothing_to_ask,
    options_of,
    outlook,
)
from tui.panes.evaluation.state import EvaluationState, Page, tokens_of
from tui.panes.pane import Pane
from tui.panes.view import View
from tui.panes.writing import Writing
from tui.services.evaluation import (
    EvaluationAnswers,
    EvaluationBasis,
    basis_of_evaluation,
    read_answers,
    read_failed,
    report_words,
)
from tui.services.facts import Facts
from tui.services.job_view import JobView
from tui.services.program import Answer, Program, Result
from tui.services.store import StoreService
from tui.widgets.listing import PAST_ANY_END, Listing

# The places of what is shown over the table.
_OVER: dict[Page, Place] = {"answers": "answers", "history": "history", "differences": "differences"}


class EvaluationPane(Pane):
    """The proof."""

    place: ClassVar[PaneName] = "evaluation"
    BINDINGS: ClassVar[list[BindingType]] = bindings("answers", "history", "differences", "evaluation")

    def __init__(self, store: StoreService) -> None:
        super().__init__(store)
        self.state = EvaluationState()
        self._program = Program(store.folder, store.home, self)
        self._writing = Writing(store, self)

    def draw(self, view: View) -> list[Content]:
        """The lines of this pane."""
        return draw(view, self.state)

    @property
    def binding_chain(self) -> list[tuple[Place, DOMNode]]:
        """The keys of what is shown in place of the table come first."""
        over = _OVER.get(self._page)
        return [(over, self), *super().binding_chain] if over is not None else super().binding_chain

    @property
    def unavailable(self) -> frozenset[str]:
        """Going back, from the table of the newest evaluation."""
        return frozenset() if self.state.is_over else frozenset({"evaluation.back"})

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only the view that is shown can be left, and copying needs answers on the screen."""
        if action == "copy":
            return self._page == "answers"
        return not action.startswith("leave_") or action == f"leave_{self._page}"

    def depends_on(self, facts: Facts) -> tuple[object, ...]:
        """The newest evaluation."""
        return (facts.evaluation.id if facts.evaluation else 0,)

    def read(self) -> None:
        """Read all evaluations; the answers of the shown one are read once it is known."""
        self.store.ask(lambda project: project.evaluations.all(), self._take, self)
        self.state.ask_again()

    def show(self, facts: Facts, job: JobView | None) -> None:
        """Show new facts; read the answers of the evaluation on the page if it is another one."""
        super().show(facts, job)
        self._read_answers()

    @property
    def choices(self) -> Listing | None:
        """The evaluations, or the questions of the one shown."""
        state, page = self.state, self._page
        if page == "history":
            return Listing(
                state.history_row,
                self._move,
                lambda: [f"run {each.run_id} {each.verdict} {each.split} {each.created_at}" for each in state.listed],
            )
        if page != "questions":
            return None
        lapses, asked = state.answers.lapses, state.answers.questions
        return Listing(
            state.row,
            self._move,
            lambda: [f"rule {' '.join(map(str, each.rules))} {asked[each.question_id].text}" for each in lapses],
        )

    def open(self, number: int) -> None:
        """Show the evaluation with this number."""
        self.state.open_evaluation(number)
        self._read_answers()
        self._from_top()

    def action_evaluate(self) -> None:
        """Read what the evaluation form needs; the form opens when that has arrived."""
        self.store.ask(basis_of_evaluation, self._ask_to_evaluate, self)

    def action_open(self) -> None:
        """Show the answers under the cursor, or the evaluation under it."""
        if self.state.mode == "history":
            self.state.choose()
            self._read_answers()
            self._from_top()
            return
        if self.state.differing:
            self.state.differing = False
        elif self.state.mode == "table":
            if measuring(self.job, self.state) is not None or self._shown_evaluation is None:
                return
            if not self.state.open():
                self.app.notify("The answers of this evaluation were not stored.")
                return
        self._turned()

    def action_history(self) -> None:
        """List all evaluations, or go back."""
        if not self.state.evaluations:
            self.app.notify("There is no evaluation yet.")
            return
        self.state.turn_history()
        self._turned()

    def action_figures(self) -> None:
        """Show the intervals as figures, or as bars."""
        self.state.figures = not self.state.figures
        self.redraw()

    def action_differing(self) -> None:
        """Switch between the tokens where the student is farthest from the prompted model and the questions."""
        shown = self._shown_evaluation
        if shown is None or not tokens_of(shown):
            self.app.notify("The tokens of this evaluation were not stored.")
            return
        self.state.differing = not self.state.differing
        self._turned()

    def action_report(self) -> None:
        """Write the report of the run whose evaluation is shown."""
        shown = self._shown_evaluation
        if shown is None:
            self.app.notify("There is no evaluation yet.")
        else:
            self._program.start("report", report_words(self.store.folder, shown.run_id), self._written, _where_written)
            self.app.notify(f"Writing the report of run {shown.run_id} …", timeout=3)

    def action_improve(self) -> None:
        """Look up the failed questions; the form opens when they have arrived."""
        if self._has_prompt():
            self.store.ask(read_failed, self._ask_to_improve, self)

    def action_copy(self) -> None:
        """Copy what is shown: the question, and each arm's answer under its name."""
        if (shown := self._shown_evaluation) is not None:
            self.app.copy_to_clipboard(self.state.read_text([name for name, _ in shown.arms]))

    def action_next_answer(self) -> None:
        """Show the next sample, or the next question."""
        self._turn_answer(1)

    def action_previous_answer(self) -> None:
        """Show the previous sample, or the previous question."""
        self._turn_answer(-1)

    def action_back(self) -> None:
        """Go back one level."""
        self.state.back()
        self._read_answers()
        self._turned()

    action_leave_answers = action_leave_history = action_leave_differences = action_back

    def action_line_down(self) -> None:
        """While answers are shown, show those of the next question."""
        if self._page == "answers":
            self._turn_question(1)
        else:
            super().action_line_down()

    def action_line_up(self) -> None:
        """While answers are shown, show those of the previous question."""
        if self._page == "answers":
            self._turn_question(-1)
        else:
            super().action_line_up()

    def action_first(self) -> None:
        """While answers are shown, show those of the first question."""
        if self._page == "answers":
            self._turn_question(-PAST_ANY_END)
        else:
            super().action_first()

    def action_last(self) -> None:
        """While answers are shown, show those of the last question."""
        if self._page == "answers":
            self._turn_question(PAST_ANY_END)
        else:
            super().action_last()

    @property
    def _page(self) -> Page:
        if self.facts is None:
            return "empty"
        return self.state.page(self.facts, measuring=measuring(self.job, self.state) is not None)

    @property
    def _shown_evaluation(self) -> Evaluation | None:
        return self.state.shown(self.facts) if self.facts is not None else None

    def _take(self, evaluations: tuple[Evaluation, ...]) -> None:
        self.state.evaluations = evaluations
        self._read_answers()  # the chosen one may have arrived only now
        self.redraw()

    def _read_answers(self) -> None:
        if self.facts is not None and (wanted := self.state.answers_wanted(self.facts)) is not None:
            self.store.ask(lambda project: read_answers(project, wanted), self._take_answers, self)

    def _take_answers(self, answers: EvaluationAnswers) -> None:
        self.state.take(answers)
        self.redraw()

    def _ask_to_evaluate(self, basis: EvaluationBasis) -> None:
        if not basis.runs:
            self.app.notify(f"There is no trained run yet. Go to Run ({key_of('workspace.run')}) to train one.")
            return
        form = FormScreen(
            "Evaluate",
            fields(basis),
            go="evaluate",
            aside=lambda values: outlook(values, basis),
            pending="",
            whole=lambda values: nothing_to_ask(values, basis),
        )
        open_if_shown(form, partial(self._evaluate, basis), self, "workspace.evaluation", "evaluation.evaluate")

    def _evaluate(self, basis: EvaluationBasis, values: dict[str, str] | None) -> None:
        if values is not None:
            self.state.chosen, self.state.mode = None, "table"
            options = options_of(values, basis)
            self.store.start(lambda _project: options, self)

    def _ask_to_improve(self, failed: tuple[int, ...] | None) -> None:
        """Ask how many training questions to write, if any validation question failed."""
        if self.facts is None:
            return
        if failed is None:
            self.app.notify(
                "There is no evaluation on validation questions yet. "
                f"Press {key_of('evaluation.evaluate')} to start one.",
            )
        elif not failed:
            self.app.notify("No validation question failed, so there is nothing to improve.")
        else:
            self._writing.ask(
                "Write questions like those that failed",
                improvement_fields(failed),
                self.facts.settings.teacher,
                partial(improvement, failed),
                "evaluation.improve",
            )

    def _written(self, result: Result) -> None:
        """Say where the report was written, or why it was not."""
        if isinstance(result, DistillError):
            self.app.notify(str(result), severity="error")
        else:
            self.app.notify(_where_written(result), timeout=10)

    def _from_top(self) -> None:
        self.redraw()
        self.scroll_home(animate=False, immediate=True)

    def _turned(self) -> None:
        """Start another view at its top, unless its cursor is further down."""
        self._from_top()
        self.see_cursor()

    def _turn_answer(self, by: int) -> None:
        if self.state.mode == "answers":
            self.state.turn_answer(by)
            self._turned()

    def _turn_question(self, by: int) -> None:
        self.state.move(by)
        self._turned()

    def _move(self, by: int) -> None:
        self.state.move(by)
        self.redraw()


def _where_written(answer: Answer) -> str:
    """Where the report is, as the command says."""
    files = answer["files"]
    return f"Report written to {clean_line(str(files[0] if isinstance(files, list) else files))}"
