"""The copy key copies the prompt, the selected answer, or the answers that are shown."""

import pytest

from engine.paths import Home
from tests.tui.panes.chat_helpers import ANSWERS, chat, converse, open_chat
from tests.tui.panes.measured_projects import make_compared
from tests.tui.piloting import SIZES, footer, go_to_pane, open_app, pane_of, text_of, until, wait_for_toast
from tests.tui.seeds import PROMPT, make_stage
from tui.app import DistillApp
from tui.panes.evaluation.pane import EvaluationPane
from tui.panes.examples.pane import ExamplesPane
from tui.panes.prompt.pane import PromptPane


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr(DistillApp, "copy_to_clipboard", lambda _app, text: texts.append(text))
    return texts


@pytest.mark.parametrize("size", SIZES)
async def test_prompt_and_selected_answer_are_copied(home: Home, copied: list[str], size: tuple[int, int]) -> None:
    app = open_app(home, make_stage(home, "generating"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await go_to_pane(pilot, 1, PromptPane, lambda: "rules" in text_of(app, PromptPane))
        await pilot.press("y")
        await until(pilot, lambda: len(copied) == 1)
        assert PROMPT.system in copied[0]
        await go_to_pane(pilot, 3, ExamplesPane, lambda: bool(pane_of(app, ExamplesPane)._streams))
        await pilot.press("j", "y")
        await until(pilot, lambda: len(copied) == 2)
        pane = pane_of(app, ExamplesPane)
        assert copied[1] == pane._streams[pane.state.place(pane._streams)].text


async def test_each_answer_of_a_chat_turn_is_copied_by_its_own_key(home: Home, copied: list[str]) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("y")
        await wait_for_toast(pilot, "There is no question yet")
        converse(app, "done")
        assert chat(app).state.turn is not None
        await pilot.press("y", "Y")
        await until(pilot, lambda: copied == list(ANSWERS))


async def test_answers_of_all_arms_are_copied_only_while_they_are_shown(home: Home, copied: list[str]) -> None:
    app = open_app(home, make_compared(home))
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to_pane(pilot, 6, EvaluationPane, lambda: bool(pane_of(app, EvaluationPane).state.answers.lapses))
        await pilot.press("y", "enter")
        await until(pilot, lambda: "Answers" in text_of(app, EvaluationPane) and "next sample" in footer(app))
        assert copied == []
        await pilot.press("y")
        await until(pilot, lambda: len(copied) == 1)
        state = pane_of(app, EvaluationPane).state
        assert state.lapse is not None
        question, *answers = copied[0].split("\n\n")
        assert question == state.answers.questions[state.lapse.question_id].text
        assert {"prompted:", "distilled:"} <= {answer.split("\n")[0] for answer in answers}
