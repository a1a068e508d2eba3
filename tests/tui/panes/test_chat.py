"""The chat pane by its keys: against a real server over a tiny model, and in every state that it has."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from textual import events
from textual._compositor import Compositor
from textual.pilot import Pilot

from engine.errors import StoreError
from engine.evaluation.preference import Standing
from engine.jobs import control
from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs
from engine.records.evaluation import Rate
from engine.records.rule import CheckResult
from engine.records.talk import Talk, TalkReply, TalkTurn
from engine.records.vote import Vote
from engine.serving.client import Answer
from engine.store.votes import VoteTable
from tests.engine.jobs.support import wait_until
from tests.trained import make_tiny_adapter, make_tiny_base, make_trained_project
from tests.tui.piloting import footer, open_app, pane_text, reach, until
from tests.tui.seeds import hostile, make_stage
from tui.app import DistillApp
from tui.panes.chat.pane import ChatPane
from tui.panes.chat.question import QuestionField
from tui.services.arms import Server, cost, local_prices
from tui.services.chat import ReplyEnded, ReplyGrew, ServerStatus, _ensure
from tui.settings import Settings
from tui.widgets.footer import Footer


@pytest.fixture
def served(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a trained run, whose server is stopped when the test has ended."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    base = make_tiny_base(tmp_path / "base")
    with make_trained_project(home, base, make_tiny_adapter(base, tmp_path / "adapter", seed=1)) as project:
        folder = project.folder
    yield folder
    with Project.open(folder, home) as project:
        for job in project.jobs.live():
            control.stop(project, job, force=True, grace_s=5.0)


def chat(app: DistillApp) -> ChatPane:
    return app.screen.query_one(ChatPane)


def turn_is_whole(app: DistillApp) -> bool:
    turn = chat(app).state.turn
    return turn is not None and turn.whole


async def open_chat(pilot: Pilot[int]) -> None:
    await reach(pilot, 9, ChatPane, lambda: bool(chat(pilot.app).state.arms[0]))


@pytest.mark.timeout(200)
async def test_a_blind_question_is_answered_by_both_arms_voted_on_and_kept(served: Path, home: Home) -> None:
    app = open_app(home, served)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        assert chat(app).state.arms == ("prompted", "run-1")
        await pilot.press("b", "enter", *"why", "enter")
        await until(pilot, lambda: turn_is_whole(app), seconds=120)
        turn = chat(app).state.turn
        assert turn is not None
        assert turn.comparable, [reply.error for reply in turn.replies.values()]
        await pilot.press("R")
        await until(pilot, lambda: chat(app).state.turn is not turn and turn_is_whole(app), seconds=60)
        assert (len(chat(app).state.turns), chat(app).state.turn.question) == (1, "why")
        assert "run-1" not in pane_text(app).partition("> why")[2]
        await pilot.press("left")
        await until(pilot, lambda: chat(app).standing.votes == 1)
        assert "run-1" in pane_text(app).partition("> why")[2]
        await pilot.press("t")
        await until(pilot, lambda: any("Added to the training" in note.message for note in app._notifications))
    with Project.open(served, home) as project:
        (vote,) = project.votes.between("prompted", "run-1")
        assert (vote.choice, vote.blind, vote.messages[-1].content) == ("left", True, "why")
        assert [q.split for q in project.questions.all() if q.text == "why"] == ["train"]
        assert [job.kind for job in project.jobs.live()] == ["serve"]  # it stays


ANSWERS = (
    "RISK SCORE: 2. A pending payment **cannot** be cancelled by the bank; the shop has to release it.",
    "RISK SCORE: 3. The shop releases it within seven days. You may dispute it after that.",
)


def converse(app: DistillApp, state: str) -> None:
    """Put the pane into a state, as a server would have."""
    found = chat(app)
    found.state.random = Random(1)
    if state == "waiting":
        found.state.ask("Can I cancel a payment that is pending?")
        found.state.note = "The server is waiting for the device: job 4 (train) of meridian-desk holds cpu."
    elif state != "empty":
        found.state.blind = state == "blind"
        turn = found.state.ask("Can I cancel a payment that is pending?")
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
    found.standing = Standing(12, 14, 9, 1, Rate(12, 26, 0.462, 0.288, 0.645)) if state == "done" else Standing()
    found.redraw()


STATES = ["empty", "waiting", "streaming", "done", "blind", "failed"]
CASES = [pytest.param(state, size, id=f"{state}-{size[0]}") for size in ((120, 40), (80, 24)) for state in STATES]


@pytest.mark.parametrize(("state", "size"), CASES)
@pytest.mark.usefixtures("still_meter")
def test_the_chat_looks_as_it_did(
    snap_compare: Callable[..., bool], home: Home, state: str, size: tuple[int, int]
) -> None:
    folder = make_stage(home, "done")

    async def settle(pilot: Pilot[int]) -> None:
        await open_chat(pilot)
        converse(pilot.app, state)
        await pilot.pause(0.3)

    assert snap_compare(DistillApp(home, folder), terminal_size=size, run_before=settle)


async def test_hostile_answers_are_shown_and_never_obeyed(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        turn = chat(app).state.ask(hostile("why"))
        for reply in turn.replies.values():
            reply.text, reply.done = hostile("answer"), reply.arm == "prompted"
            reply.error = "" if reply.arm == "prompted" else hostile("error")
        chat(app).state.note = hostile("note")
        chat(app).redraw()
        await pilot.pause(0.3)
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert not any((ord(char) < 32 and char != "\n") or 127 <= ord(char) < 160 for char in text)
        assert "\u202e" not in text
        assert "[@click=app.quit]" in text


async def test_a_question_is_typed_over_several_lines_while_the_talk_scrolls(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        for _ in range(6):
            converse(app, "done")
            chat(app).state.turns[-1].voted = "tie"
        await until(pilot, lambda: chat(app).max_scroll_y > 0 and chat(app).is_vertical_scroll_end)
        await pilot.press("enter", *"one", "ctrl+j", *"two", "pageup")
        await until(pilot, lambda: not chat(app).is_vertical_scroll_end)
        field = app.screen.query_one(QuestionField)
        assert field.text == "one\ntwo"
        assert field.has_focus
        await pilot.press("pagedown", "pagedown", "pagedown")
        await until(pilot, lambda: chat(app).is_vertical_scroll_end)
        await pilot.press("pageup", "ctrl+end")
        await until(pilot, lambda: chat(app).is_vertical_scroll_end)
        await pilot.press("pageup", "home", "end")
        await until(pilot, lambda: field.cursor_location == (1, 3))
        assert not chat(app).is_vertical_scroll_end, "first it goes to the end of the line"
        await pilot.press("end")
        await until(pilot, lambda: chat(app).is_vertical_scroll_end)
        await pilot.press("escape")
        await until(pilot, lambda: chat(app).has_focus)
        assert field.text == "one\ntwo"


async def test_a_persons_own_keys_hold_in_the_field_and_what_they_left_is_the_fields(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(ChatPane, "on_question_field_sent", lambda _pane, message: sent.append(message.text))
    keys = {"asking.send": "ctrl+g", "asking.newline": "f6"}
    app = DistillApp(home, make_stage(home, "done"), Settings(keys=keys))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("enter", *"one", "f6", *"two", "enter", *"three")
        field = app.screen.query_one(QuestionField)
        await until(pilot, lambda: field.text == "one\ntwo\nthree")
        await until(pilot, lambda: "^g send   f6 new line" in app.screen.query_one(Footer).render().plain)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: sent == ["one\ntwo\nthree"])


async def test_a_question_is_typed_as_fast_as_the_keys_come(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        for key in ("i", *"why is i"):
            app.post_message(events.Key(key, key))  # none waits for the one before
        await until(pilot, lambda: app.screen.query_one(QuestionField).text == "why is i")


async def test_the_dial_the_arms_and_a_revealed_turn(home: Home) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("minus", "minus")
        await until(pilot, lambda: "adapter at 80 %" in pane_text(app))
        await pilot.press("a", "down", "right", "enter")
        await until(pilot, lambda: chat(app).state.arms == ("prompted", "unprompted"))
        converse(app, "blind")
        await until(pilot, lambda: "← A better   → B better   = tie   0 both bad" in footer(app))
        assert "Which is better?" in pane_text(app)
        await pilot.press("u")
        await until(pilot, lambda: "The arms are revealed" in pane_text(app))
        assert "Which is better?" not in pane_text(app)
        await until(pilot, lambda: footer(app).startswith("enter ask   b blind"))
        await pilot.press("b", "left")  # no more blind from the next question on: this one was
        await until(pilot, lambda: any("would not be blind" in note.message for note in app._notifications))
        assert chat(app).state.turns[-1].voted is None


async def test_every_vote_is_kept_and_the_last_is_taken_back(home: Home) -> None:
    folder = make_stage(home, "done")
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        for count, key in enumerate(("right", "equals_sign", "0"), start=1):
            converse(app, "voting")
            await pilot.press(key)
            await until(pilot, lambda count=count: chat(app).standing.votes == count)
            await until(pilot, lambda: footer(app).startswith("enter ask"))
        await pilot.press("U")
        await until(pilot, lambda: chat(app).standing.votes == 2)
    with Project.open(folder, home) as project:
        assert [vote.choice for vote in project.votes.between("prompted", "run-1")] == ["right", "tie"]


def kept(folder: Path, home: Home) -> tuple[tuple[str, str], int]:
    """The arms of the talk that is kept, and its turns; nothing of one that cannot be read."""
    with Project.open(folder, home) as project, suppress(StoreError):
        if (talk := project.settings.talk()) is not None:
            return talk.arms, len(talk.turns)
    return ("", ""), 0


async def test_a_talk_is_there_again_when_a_person_comes_back(home: Home) -> None:
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
    wait_until(lambda: kept(folder, home)[1] == 3)
    again = open_app(home, folder)
    async with again.run_test(size=(120, 40)) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: len(chat(again).state.turns) == 3)
        assert pane_text(again).count("Stopped.") == 2
        whole = before[: before.rindex("> Can I cancel")].split("> Can I cancel", 1)[1]
        assert whole in pane_text(again)
        assert [turn.voted for turn in chat(again).state.turns] == [None, "left", None]
        await pilot.press("plus", "U")
        await until(pilot, lambda: chat(again).state.turns[1].voted is None)
        await pilot.press("n")
        await until(pilot, lambda: not chat(again).state.turns)
    wait_until(lambda: kept(folder, home) == (("prompted", "run-1"), 0))


@pytest.mark.parametrize("lies", ['{"arms": 3}', '{"arms": ["run-7", "prompted"], "turns": [], "strength": 50}'])
async def test_a_talk_that_cannot_be_gone_on_with_keeps_nobody_from_talking(home: Home, lies: str) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        project.settings.keep_talk(Talk(("prompted", "run-1")))
        connection = project.settings._connection
        connection.write("UPDATE settings SET value = ? WHERE name = 'talk'", (lies,))
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: chat(app).state.arms == ("prompted", "run-1"))
        assert any("last chat is lost" in note.message for note in app._notifications) is ("3" in lies)
        converse(app, "done")
    wait_until(lambda: kept(folder, home) == (("prompted", "run-1"), 1))


async def test_a_talk_with_an_arm_that_is_not_there_now_is_kept_until_another_begins(home: Home) -> None:
    folder = make_stage(home, "done")
    turn = TalkTurn("why?", TalkReply("prompted", "so"), TalkReply("run-7", "thus"))
    with Project.open(folder, home) as project:
        project.settings.keep_talk(Talk(("prompted", "run-7"), (turn,)))
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await until(pilot, lambda: any("with prompted and run-7" in note.message for note in app._notifications))
        await pilot.press("minus")
        await until(pilot, lambda: "adapter at 90 %" in pane_text(app))
        assert kept(folder, home) == (("prompted", "run-7"), 1)
        converse(app, "done")
        wait_until(lambda: kept(folder, home) == (("prompted", "run-1"), 1))


def test_a_turn_that_is_stopped_before_its_server_was_found_is_no_defect(home: Home) -> None:
    found: Future[Server] = Future()
    found.cancel()
    with Project.open(make_stage(home, "done"), home) as project:
        assert _ensure(project, found) == ServerStatus("")


async def test_a_question_is_rewritten_and_a_talk_begun_anew(home: Home) -> None:
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
        await pilot.press("B")
        await until(pilot, lambda: len(chat(app).state.turns) == 1)
        await pilot.press("B")
        await until(pilot, lambda: len(chat(app).state.turns) == 2)
        await pilot.press("minus", "plus")
        await until(pilot, lambda: "adapter at 100 %" in pane_text(app))


@pytest.mark.parametrize("keys", [["e"], ["R"], ["n"], ["B"], ["a", "down", "right", "enter"]])
async def test_words_of_an_answer_that_was_dropped_reach_no_other_turn(
    home: Home, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        pane = chat(app)
        monkeypatch.setattr(pane._service, "ask", lambda *_asked: None)
        converse(app, "done")
        pane.state.begin()
        converse(app, "done")
        converse(app, "streaming")
        pane.state.note = "Loading the model."
        ticket, left = pane._ticket, list(pane.state.turns)
        await pilot.press(*keys)
        await until(pilot, lambda: pane.state.turns != left)
        before = [(turn, replace(turn.replies["left"])) for turn in (*pane.state.turns, *left)]
        pane.post_message(ReplyGrew(ticket, 0, "late words"))
        pane.post_message(ReplyEnded(ticket, 0, None, "late end"))
        pane.post_message(ServerStatus("all came"))
        assert not pane.state.note
        await until(pilot, lambda: pane.state.note == "all came")
        assert [(turn, turn.replies["left"]) for turn, _ in before] == before


async def test_where_no_turn_was_dropped_nothing_is_stopped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        monkeypatch.setattr(chat(app)._service, "halt", pytest.fail)
        converse(app, "streaming")
        await pilot.press("B")
        await until(pilot, lambda: any("There is no earlier chat" in note.message for note in app._notifications))
        monkeypatch.undo()


@pytest.mark.timeout(200)
async def test_answers_stop_where_they_are(served: Path, home: Home) -> None:
    app = open_app(home, served)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("enter", *"why", "enter")
        await until(pilot, lambda: bool(chat(app).state.turns), seconds=60)
        await pilot.press("escape")
        await until(pilot, lambda: turn_is_whole(app))
        assert [reply.error for reply in chat(app).state.turns[-1].replies.values()] == ["Stopped.", "Stopped."]


async def test_no_near_twin_of_a_held_question_is_made_one_to_train_on(home: Home) -> None:
    folder = make_stage(home, "done")
    with Project.open(folder, home) as project:
        held = project.questions.all("test")[0]
        before = project.questions.split_counts()
    app = open_app(home, folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_chat(pilot)
        chat(app).state.ask(held.text.upper() + "!!")
        await pilot.press("t")
        await until(pilot, lambda: any(f"Question {held.id} (test)" in note.message for note in app._notifications))
        chat(app).state.ask("Where do penguins sleep in the long winter of the south?")
        await pilot.press("t")
        await until(pilot, lambda: any("Added to the training" in note.message for note in app._notifications))
    with Project.open(folder, home) as project:
        assert project.questions.split_counts() == {**before, "train": before["train"] + 1}


def test_what_serving_here_costs_is_told_where_both_prices_are_given(home: Home) -> None:
    answer = Answer("A", "stop", 1_000, 500, 0.1, 1.0, None)
    with Project.open(make_stage(home, "done"), home) as project:
        project.settings.write_cost(CostInputs(distilled_input_usd_per_mtok=2.0), None)
        assert local_prices(project) is None
        project.settings.write_cost(
            CostInputs(distilled_input_usd_per_mtok=2.0, distilled_output_usd_per_mtok=4.0), None
        )
        assert cost(answer, local_prices(project)) == pytest.approx(0.004)


async def test_the_end_of_growing_answers_stays_in_sight_and_the_page_seldom_goes_over_the_line(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        pane = chat(app)
        pane.state.ask("And then?")
        pane.redraw()
        await until(pilot, lambda: "And then?" in pane_text(app))
        monkeypatch.setattr(Compositor, "render_update", counting(sent := []))
        said, ends = "", set()
        for step in range(40):
            said += f"Step {step} of it goes on a line. "
            for arm in (0, 1):
                pane.post_message(ReplyGrew(pane._ticket, arm, said))
            await until(pilot, lambda step=step: f"Step {step} of" in " ".join(pane_text(app).split()))
            await until(pilot, lambda: pane.is_vertical_scroll_end)
            ends.add(pane.max_scroll_y)
        whole = len(app.screen._compositor.render_full_update().render_segments(app.console))
        assert max(ends) > 20  # rows came, one or two a step
        assert len(ends) < 12
        assert sum(sent) < 40 * whole / 2
        assert max(sent) < whole  # of what stands beside the page nothing is drawn again

        for size in ((70, 21), (110, 30), (80, 24)):  # a window that changes takes nobody away from the end
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: pane.is_vertical_scroll_end and pane.max_scroll_y > 0)
        await pilot.press("pageup")
        await until(pilot, lambda: not pane.is_vertical_scroll_end)
        place = pane.scroll_offset.y
        pane.post_message(ReplyGrew(pane._ticket, 0, said + "the last words " * 100))
        await until(pilot, lambda: pane.max_scroll_y > max(ends))
        assert pane.scroll_offset.y == place
        await pilot.press("end")
        await until(pilot, lambda: pane.is_vertical_scroll_end)


def counting(sent: list[int]) -> Callable[..., object]:
    """What draws on the screen, and keeps how many signs each drawing sends."""
    draw = Compositor.render_update

    def drawn(compositor: Compositor, *given: object, **named: object) -> object:
        update = draw(compositor, *given, **named)
        if update is not None:
            sent.append(len(update.render_segments(compositor.root.app.console)))
        return update

    return drawn


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_vote_is_told_once_it_is_stored_and_can_be_given_anew_when_taken_back(
    home: Home, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_chat(pilot)
        converse(app, "voting")
        with monkeypatch.context() as patch:
            patch.setattr(VoteTable, "add", full)
            await pilot.press("left")
            await until(pilot, lambda: bool(app._notifications))
        assert [note.title for note in app._notifications] == ["The project cannot grow."]
        assert "You said" not in pane_text(app)
        await pilot.press("left")
        await until(pilot, lambda: "You said: A was better." in pane_text(app))
        await pilot.press("U")
        await until(pilot, lambda: "You said" not in pane_text(app))
        await pilot.press("right")
        await until(pilot, lambda: "You said: B was better." in pane_text(app))
        assert chat(app).standing.votes == 1


def full(table: VoteTable, vote: Vote) -> None:
    raise StoreError("The project cannot grow.", "The disk is full.", "Make room.")


async def test_a_server_that_the_system_does_not_start_ends_the_turn_and_says_why(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(project: Project) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.serving.client.ensure_server", refused)
    app = open_app(home, make_stage(home, "done"))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_chat(pilot)
        await pilot.press("enter", *"why", "enter")
        await until(pilot, lambda: turn_is_whole(app))
        assert "No space left on device" in pane_text(app)
        said = "The operating system reported an error."
        await until(pilot, lambda: [note.title for note in app._notifications] == [said])
