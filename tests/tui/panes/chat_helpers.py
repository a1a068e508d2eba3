"""What the tests of the chat pane share: opening it, and putting it into a state as a server would."""

from random import Random

from textual.app import App
from textual.pilot import Pilot

from engine.evaluation.preference import Standing
from engine.records.evaluation import Rate
from engine.records.rule import CheckResult
from tests.tui.piloting import go_to_pane
from tui.panes.chat.pane import ChatPane

ANSWERS = (
    "RISK SCORE: 2. A pending payment **cannot** be cancelled by the bank; the shop has to release it.",
    "RISK SCORE: 3. The shop releases it within seven days. You may dispute it after that.",
)


def chat(app: App[int]) -> ChatPane:
    return app.screen.query_one(ChatPane)


async def open_chat(pilot: Pilot[int]) -> None:
    await go_to_pane(pilot, 9, ChatPane, lambda: bool(chat(pilot.app).state.arms[0]))


def turn_is_finished(app: App[int]) -> bool:
    turn = chat(app).state.turn
    return turn is not None and turn.whole


def converse(app: App[int], state: str) -> None:
    """Add a turn and put the pane into `state`, as a server would."""
    pane = chat(app)
    pane.state.random = Random(1)
    if state == "waiting":
        pane.state.ask("Can I cancel a payment that is pending?")
        pane.state.note = "The server is waiting for the device: job 4 (train) of meridian-desk holds cpu."
    elif state != "empty":
        pane.state.blind = state == "blind"
        turn = pane.state.ask("Can I cancel a payment that is pending?")
        for arm, text in enumerate(ANSWERS):
            reply = turn.replies[turn.side_of(arm)]
            reply.text, reply.done = text, state != "streaming"
            reply.prompt_tokens, reply.completion_tokens = (430, 31) if arm == 0 else (18, 29)
            reply.first_token_s, reply.tokens_per_second = (0.92, 31.0) if arm == 0 else (0.11, 33.0)
            reply.checks = (
                tuple(
                    CheckResult(rule, (arm, rule) != (0, 3), "" if (arm, rule) != (0, 3) else "2 of 32 words too many")
                    for rule in (1, 2, 3, 4)
                )
                if state != "streaming"
                else ()
            )
        if state == "failed":
            turn.replies["right"].error = "The answer was cut off. The server of run-1 ended in its middle. Ask again."
    pane.standing = Standing(12, 14, 9, 1, 30, Rate(12, 26, 0.462, 0.288, 0.645)) if state == "done" else Standing()
    pane.redraw()
