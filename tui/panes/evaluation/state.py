"""What the evaluation pane knows: the evaluations as read, the answers of the shown one, and the user's view.

Pure Python, free of Textual and of I/O. Text in here is raw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.evaluation.lapses import Lapse
from engine.records.evaluation import ArmAnswer, Evaluation, HeldOutToken
from tui.services.evaluation import EvaluationAnswers
from tui.services.facts import Facts
from tui.widgets.rows import within

Mode = Literal["table", "answers", "history"]
# What is on the page; the table may have the questions under it.
Page = Literal["table", "questions", "answers", "differences", "history", "measuring", "empty"]


@dataclass(slots=True)
class EvaluationState:
    """The pane's whole state."""

    evaluations: tuple[Evaluation, ...] = ()  # oldest first
    answers: EvaluationAnswers = field(default_factory=EvaluationAnswers)
    mode: Mode = "table"
    chosen: int | None = None  # an evaluation's number; None: the newest
    row: int = 0  # in the questions, worst first
    sample: int = 0
    history_row: int = 0  # in the evaluations, newest first
    figures: bool = False
    differing: bool = False  # show the worst held-out tokens in place of the questions
    asked_for: int | None = None  # the evaluation whose answers were requested

    def shown(self, facts: Facts) -> Evaluation | None:
        """The evaluation that the user chose, else the newest."""
        chosen = next((each for each in self.evaluations if each.id == self.chosen), None)
        return chosen or facts.evaluation

    def page(self, facts: Facts, *, measuring: bool) -> Page:
        """What is on the page. `measuring`: an evaluation is running, and the user is not looking at an older one."""
        shown = self.shown(facts)
        if self.mode == "history":
            return "history"
        if measuring:
            return "measuring"
        if shown is None:
            return "empty"
        if self.mode == "answers" and self.lapse is not None:
            return "answers"
        if self.differing and tokens_of(shown):
            return "differences"
        return "questions" if self.answers.evaluation_id == shown.id and self.answers.lapses else "table"

    def answers_wanted(self, facts: Facts) -> Evaluation | None:
        """The evaluation whose answers have to be read; call once per view."""
        shown = self.shown(facts)
        if shown is None or shown.id == self.asked_for:
            return None
        self.asked_for = shown.id
        return shown

    def ask_again(self) -> None:
        """Want the answers again if they have not arrived."""
        if self.answers.evaluation_id != self.asked_for:
            self.asked_for = None

    def take(self, answers: EvaluationAnswers) -> None:
        """Take the answers of the shown evaluation; ignore those of another one, which come too late."""
        if answers.evaluation_id == self.asked_for:
            self.answers, self.row, self.sample = answers, 0, 0
            if self.mode == "answers" and not answers.lapses:
                self.mode = "table"

    @property
    def lapse(self) -> Lapse | None:
        """The question under the cursor."""
        return self.answers.lapses[self.row] if self.answers.lapses else None

    @property
    def listed(self) -> tuple[Evaluation, ...]:
        """The evaluations as the history lists them: newest first."""
        return self.evaluations[::-1]

    def move(self, by: int) -> None:
        """Move the cursor of the current list; while answers are shown, show those of the new question."""
        if self.mode == "history":
            self.history_row = within(self.history_row + by, len(self.evaluations))
        else:
            self.row = within(self.row + by, len(self.answers.lapses))
            if self.mode == "answers":
                self.open()

    def open(self) -> bool:
        """Show the answers to the question under the cursor, worst sample first; return False if there is none."""
        if self.lapse is None:
            return False
        self.mode, self.sample = "answers", self.lapse.worst_sample
        return True

    def choose(self) -> None:
        """Show the evaluation under the history's cursor."""
        if self.evaluations:
            self.chosen = self.listed[within(self.history_row, len(self.evaluations))].id
        self.mode = "table"

    def open_evaluation(self, number: int) -> None:
        """Show this evaluation from its top."""
        self.chosen, self.mode, self.differing = number, "table", False

    def turn_history(self) -> None:
        """List the evaluations, or go back."""
        if self.mode == "history":
            self.mode = "table"
            return
        self.mode = "history"
        places = [index for index, each in enumerate(self.listed) if each.id == self.answers.evaluation_id]
        self.history_row = places[0] if places else 0

    @property
    def is_over(self) -> bool:
        """Whether something is shown that `back` leaves."""
        return self.mode != "table" or self.differing or self.chosen is not None

    def back(self) -> None:
        """Go back one level: from a view to the table, else from an older evaluation to the newest."""
        if self.mode != "table":
            self.mode = "table"
        elif self.differing:
            self.differing = False
        else:
            self.chosen = None

    def samples(self) -> tuple[int, ...]:
        """The samples of the question under the cursor."""
        lapse = self.lapse
        if lapse is None:
            return ()
        return tuple(sorted(sample for question, sample in self.answers.answers if question == lapse.question_id))

    def turn_answer(self, by: int) -> None:
        """Go to the next or previous sample; past the ends, to the neighbouring question."""
        samples = self.samples()
        if not samples:
            return
        place = samples.index(self.sample) + by if self.sample in samples else 0
        if 0 <= place < len(samples):
            self.sample = samples[place]
        elif 0 <= self.row + by < len(self.answers.lapses):
            self.row += by
            samples = self.samples()
            self.sample = samples[0] if by > 0 else samples[-1]

    def side_by_side(self, arms: Sequence[str]) -> tuple[ArmAnswer, ...]:
        """The answers in the current sample, in the order of the arms."""
        lapse = self.lapse
        found = self.answers.answers.get((lapse.question_id, self.sample), ()) if lapse is not None else ()
        return tuple(
            sorted(found, key=lambda answer: list(arms).index(answer.arm) if answer.arm in arms else len(arms))
        )

    def read_text(self, arms: Sequence[str]) -> str:
        """What is shown, as text: the question, and each arm's answer under its name."""
        if self.lapse is None:
            return ""
        question = self.answers.questions[self.lapse.question_id].text
        return "\n\n".join([question, *(f"{each.arm}:\n{each.answer}" for each in self.side_by_side(arms))])


def tokens_of(evaluation: Evaluation) -> tuple[HeldOutToken, ...]:
    """The worst tokens of the student; empty for evaluations made before these were stored."""
    student = evaluation.arm("distilled")
    return student.kl_to_prompted.worst_tokens if student is not None and student.kl_to_prompted is not None else ()
