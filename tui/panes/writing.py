"""How a pane lets a teacher write questions; it chooses the fields besides those of the teacher."""

from engine.records.options import SynthesizeOptions
from tui.forms.screen import Values
from tui.forms.teacher import key_text, key_trouble, money_text
from tui.panes.pane import Pane
from tui.panes.teacher_form import TeacherForm
from tui.services.generation import SynthesisOutlook, synthesis_outlook
from tui.services.store import StoreService


class Writing(TeacherForm[SynthesizeOptions, SynthesisOutlook]):
    """Opens one form at a time, each of which lets a teacher write questions."""

    def __init__(self, store: StoreService, pane: Pane) -> None:
        super().__init__(store, pane, synthesis_outlook, _text, _trouble)


def _text(outlook: SynthesisOutlook, values: Values) -> str:
    lines = [
        f"{outlook.requests:,} requests for up to {outlook.questions:,} questions.",
        f"Tokens: ≈ {outlook.prompt_tokens:,} sent, ≈ {outlook.answer_tokens:,} generated.",
        money_text(outlook.money),
        key_text(outlook.key, values),
    ]
    return "\n".join(line for line in lines if line)


def _trouble(outlook: SynthesisOutlook, values: Values) -> str:
    return key_trouble(outlook.key, values)
