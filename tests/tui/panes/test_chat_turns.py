"""The turns of a chat: votes, restored and dropped chats, and questions added to the training split."""

from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.errors import StoreError
from engine.paths import Home
from engine.project import Project
from engine.records.chat import Chat, ChatReply, ChatTurn
from engine.records.cost import CostInputs
from engine.records.vote import Vote
from engine.serving.client import Answer
from engine.store.votes import VoteTable
from tests.engine.jobs.support import wait_until
from tests.tui.panes.chat_helpers import chat, converse, open_chat
from tests.tui.panes.helpers import notified
from tests.tui.piloting import footer, open_app, pane_text, until
from tests.tui.seeds import make_stage
from tui.panes.chat.question import QuestionField
from tui.services.arms import Server, cost, local_prices
from tui.services.chat import Kept, ReplyEnded, ReplyGrew, ServerStatus, _ensure


async def test_keys_change_strength_and_arms_and_reveal_a_turn(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("minus", "minus")
        await until(pilot, lambda: "adapter at 80\u00a0%" in pane_text(app))
        await pilot.press("a", "down", "right", "enter")
        await until(pilot, lambda: chat(app).state.arms == ("prompted", "unprompted"))
        converse(app, "blind")
        await until(pilot, lambda: "← A better   → B better   = tie   0 both bad" in footer(app))
        assert "Which is better?" in pane_text(app)
        await pilot.press("v")
        await until(pilot, lambda: "The arms are revealed" in pane_text(app))
        assert "Which is better?" not in pane_text(app)
        await until(pilot, lambda: footer(app).startswith("enter ask   b blind"))
        await pilot.press("b", "left")  # turns blind mode off for the next question; this turn was blind
        await until(pilot, lambda: notified(app, "would not be blind"))
        assert chat(app).state.turns[-1].voted is None


async def wait_for_votes(pilot: Pilot[int], count: int) -> None:
    await until(pilot, lambda: chat(pilot.app).standing.votes == count)


async def test_votes_are_stored_and_the_last_is_undone(home: Home) -> None:
    folder = make_stage(home, "done")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        for count, key in enumerate(("right", "equals_sign", "0"), start=1):
            converse(app, "voting")
            await pilot.press(key)
            await wait_for_votes(pilot, count)
            await until(pilot, lambda: footer(app).startswith("enter ask"))
        await pilot.press("u")
        await wait_for_votes(pilot, 2)
    with Project.open(folder, home) as project:
        assert [vote.choice for vote in project.votes.between("prompted", "run-1")] == ["right", "tie"]


def stored_chat(folder: Path, home: Home) -> tuple[tuple[str, str], int]:
    """The arms and the number of turns of the stored chat; empty if it cannot be read."""
    with Project.open(folder, home) as project, suppress(StoreError):
        if (stored := project.settings.chat()) is not None:
            return stored.arms, len(stored.turns)
    return ("", ""), 0


async def test_chat_is_restored_when_the_app_is_reopened(home: Home) -> None:
    folder = make_stage(home, "done")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_chat(pilot)
        converse(app, "done")
        converse(app, "blind")
        await pilot.press("left")
        await until(pilot, lambda: chat(app).standing.votes == 1)
        await pilot.press("minus")
        converse(app, "streaming")
        await until(pilot, lambda: len(chat(app).state.turns) == 3)
        before = pane_text(app)
    wait_until(lambda: stored_chat(folder, home)[1] == 3)
    again = open_app(home, folder)
    async with again.run_test(size=(120, 40)) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: len(chat(again).state.turns) == 3)
        assert pane_text(again).count("Stopped.") == 2
        whole = before[: before.rindex("> Can I cancel")].split("> Can I cancel", 1)[1]
        assert whole in pane_text(again)
        assert [turn.voted for turn in chat(again).state.turns] == [None, "left", None]
        await pilot.press("plus", "u")
        await until(pilot, lambda: chat(again).state.turns[1].voted is None)
        await pilot.press("n")
        await until(pilot, lambda: not chat(again).state.turns)
    wait_until(lambda: stored_chat(folder, home) == (("prompted", "run-1"), 0))


@pytest.mark.parametrize("stored", ['{"arms": 3}', '{"arms": ["run-7", "prompted"], "turns": [], "strength": 50}'])
async def test_unusable_stored_chat_does_not_prevent_a_new_one(home: Home, stored: str) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.write_chat(Chat(("prompted", "run-1")))
        connection = project.settings._connection
        connection.write("UPDATE settings SET value = ? WHERE name = 'talk'", (stored,))
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: chat(app).state.arms == ("prompted", "run-1"))
        assert notified(app, "last chat is lost") is ("3" in stored)
        converse(app, "done")
    wait_until(lambda: stored_chat(folder, home) == (("prompted", "run-1"), 1))


async def test_chat_with_a_missing_arm_is_kept_until_another_starts(home: Home) -> None:
    folder = make_stage(home, "done")
    turn = ChatTurn("why?", ChatReply("prompted", "so"), ChatReply("run-7", "thus"))
    with Project.open(folder, home) as project:
        project.settings.write_chat(Chat(("prompted", "run-7"), (turn,)))
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: notified(app, "with prompted and run-7"))
        await pilot.press("minus")
        await until(pilot, lambda: "adapter at 90\u00a0%" in pane_text(app))
        assert stored_chat(folder, home) == (("prompted", "run-7"), 1)
        converse(app, "done")
        wait_until(lambda: stored_chat(folder, home) == (("prompted", "run-1"), 1))


def test_stopping_a_turn_before_its_server_starts_raises_nothing(home: Home) -> None:
    found: Future[Server] = Future()
    found.cancel()
    with Project.open(make_stage(home, "done"), home) as project:
        assert _ensure(project, found, 1) == ServerStatus(1, "")


async def test_question_is_edited_and_chats_are_started_and_restored(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        converse(app, "done")
        converse(app, "done")
        await pilot.press("e")
        field = app.screen.query_one(QuestionField)
        await until(pilot, lambda: field.has_focus)
        assert field.text == "Can I cancel a payment that is pending?"
        assert len(chat(app).state.turns) == 1
        await pilot.press("escape")
        await until(pilot, lambda: chat(app).has_focus)
        await pilot.press("n")
        await until(pilot, lambda: not chat(app).state.turns)
        await pilot.press("N")
        await until(pilot, lambda: len(chat(app).state.turns) == 1)
        await pilot.press("N")
        await until(pilot, lambda: len(chat(app).state.turns) == 2)
        await pilot.press("minus", "plus")
        await until(pilot, lambda: "adapter at 100\u00a0%" in pane_text(app))


@pytest.mark.parametrize("keys", [["e"], ["R"], ["n"], ["N"], ["a", "down", "right", "enter"]])
async def test_late_text_of_a_dropped_answer_reaches_no_turn(
    home: Home, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        pane = chat(app)
        monkeypatch.setattr(pane._service, "ask", lambda *_args: None)
        converse(app, "done")
        pane.state.begin()
        converse(app, "done")
        converse(app, "streaming")
        pane.state.note = "Loading the model."
        ticket, dropped = pane._ticket, list(pane.state.turns)
        await pilot.press(*keys)
        await until(pilot, lambda: pane.state.turns != dropped)
        before = [(turn, replace(turn.replies["left"])) for turn in (*pane.state.turns, *dropped)]
        pane.post_message(ReplyGrew(ticket, 0, "late text"))
        pane.post_message(ReplyEnded(ticket, 0, None, "late end"))
        pane.post_message(ServerStatus(ticket, "The server is starting."))
        pane.post_message(Kept("all came"))
        await until(pilot, lambda: notified(app, "all came"))
        assert not pane.state.note
        assert [(turn, turn.replies["left"]) for turn, _ in before] == before


async def test_late_word_of_the_server_does_not_outlast_a_stopped_turn(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        pane = chat(app)
        converse(app, "streaming")
        pane.post_message(ServerStatus(pane._ticket, "The server is starting."))
        await until(pilot, lambda: "! The server is starting." in pane_text(app))
        for arm in (0, 1):
            pane.post_message(ReplyEnded(pane._ticket, arm, None, "Stopped."))
        pane.post_message(ServerStatus(pane._ticket, "The server is starting."))  # only now is its job there
        pane.post_message(Kept("all came"))
        await until(pilot, lambda: notified(app, "all came"))
        assert pane_text(app).count("Stopped.") == 2
        assert "The server is starting." not in pane_text(app)


async def test_restoring_without_an_earlier_chat_stops_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        with monkeypatch.context() as patch:
            patch.setattr(chat(app)._service, "halt", pytest.fail)
            converse(app, "streaming")
            await pilot.press("N")
            await until(pilot, lambda: notified(app, "There is no earlier chat"))


async def test_near_duplicate_of_a_test_question_is_not_added_to_training(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        test_question = project.questions.all("test")[0]
        before = project.questions.split_counts()
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        chat(app).state.ask(test_question.text.upper() + "!!")
        await pilot.press("t")
        await until(pilot, lambda: notified(app, f"Question {test_question.id} (test)"))
        chat(app).state.ask("Where do penguins sleep in the long winter of the south?")
        await pilot.press("t")
        await until(pilot, lambda: notified(app, "Added to the training"))
    with Project.open(folder, home) as project:
        assert project.questions.split_counts() == {**before, "train": before["train"] + 1}


def test_local_cost_needs_both_token_prices(home: Home) -> None:
    answer = Answer("A", "stop", 1_000, 500, 0.1, 1.0, None)
    with Project.open(make_stage(home, "done"), home) as project:
        project.settings.write_cost(CostInputs(distilled_input_usd_per_mtok=2.0), None)
        assert local_prices(project) is None
        project.settings.write_cost(
            CostInputs(distilled_input_usd_per_mtok=2.0, distilled_output_usd_per_mtok=4.0), None
        )
        assert cost(answer, local_prices(project)) == pytest.approx(0.004)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_vote_is_shown_once_stored_and_can_be_changed_after_undo(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_chat(pilot)
        converse(app, "voting")
        with monkeypatch.context() as patch:
            patch.setattr(VoteTable, "add", raise_disk_full)
            await pilot.press("left")
            await until(pilot, lambda: bool(app._notifications))
        assert [note.title for note in app._notifications] == ["The project cannot grow."]
        assert "You said" not in pane_text(app)
        await pilot.press("left")
        await until(pilot, lambda: "You said: A was better." in pane_text(app))
        await pilot.press("u")
        await until(pilot, lambda: "You said" not in pane_text(app))
        await pilot.press("right")
        await until(pilot, lambda: "You said: B was better." in pane_text(app))
        assert chat(app).standing.votes == 1


def raise_disk_full(table: VoteTable, vote: Vote) -> None:
    raise StoreError("The project cannot grow.", "The disk is full.", "Make room.")
