"""The chat pane without a screen: its turns, votes and history, and the lines that show them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markdown import Markdown
from textual.content import Content

from engine.evaluation.preference import Standing
from engine.records.prompt import Message
from engine.records.rule import Check, CheckResult, Rule
from engine.rules.live import check_so_far
from tests.hostile import control_characters, hostile_text
from tui.panes.chat import markdown
from tui.panes.chat.drawing import draw, room_to_grow
from tui.panes.chat.markdown import markdown_lines
from tui.panes.chat.state import PLACES, ChatState, Reply, Turn
from tui.panes.chat.turns import LaidOut

ARMS = ("prompted", "run-3")
NO_VOTES = Standing()


def ask_and_answer(state: ChatState, question: str = "why?") -> Turn:
    """Ask a question and finish the answers of both arms."""
    turn = state.ask(question)
    for place in PLACES:
        reply = turn.replies[place]
        reply.text, reply.done = f"said by {reply.arm}", True
        reply.prompt_tokens, reply.completion_tokens = 430, 12
        reply.checks = (CheckResult(1, place == "left", ""),)
    return turn


def text(state: ChatState, width: int = 100, score: Standing = NO_VOTES) -> str:
    return "\n".join(line.plain for line in drawn(state, (), width, score))


def drawn(
    state: ChatState,
    rules: tuple[Rule, ...],
    width: int,
    score: Standing = NO_VOTES,
) -> list[Content]:
    return draw(state, score, rules, width, LaidOut())


def test_blind_turn_hides_the_arms_until_a_vote_or_reveal() -> None:
    state = ChatState(ARMS, blind=True, random=Random(1))
    ask_and_answer(state).replies["left"].text = "an answer"
    state.turns[-1].replies["right"].text = "another answer"
    turns = text(state, score=Standing(9, 1, blind=10)).split("\n", 1)[1]
    assert not any(word in turns for word in ("prompted", "run-3", "tokens", "430"))
    assert "9 : 1" not in text(state, score=Standing(9, 1, blind=10))
    state.revealed = True
    assert "9 : 1" in text(state, score=Standing(9, 1, blind=10))
    assert "run-3" in text(state).split("\n", 1)[1]
    state.revealed = False
    assert state.vote("left") is not None
    assert "430" in text(state)


def test_stored_chat_resumes_with_the_same_turns() -> None:
    state = ChatState(ARMS, blind=True, strength=40, random=Random(1))
    ask_and_answer(state)
    state.settle(state.vote("tie") or pytest.fail("no vote"), kept=True)
    ask_and_answer(state).replies["left"].error = "cut off"
    state.vote("left")
    state.ask("and now?").replies["right"].text = "half a"
    resumed = ChatState(random=Random(1))
    resumed.take_up(state.chat)
    assert resumed.turns[:2] == state.turns[:2]
    assert all(reply == Reply(reply.arm, done=True, error="Stopped.") for reply in resumed.turns[2].replies.values())
    assert (resumed.arms, resumed.blind, resumed.strength) == (ARMS, True, 40)
    assert resumed.chat == state.chat
    assert [each.content for each in resumed.history(0)] == ["why?", "said by prompted", "and now?"]


def test_stopped_answer_keeps_its_partial_text() -> None:
    state = ChatState(ARMS)
    turn = state.ask("why?")
    turn.replies["left"].text = "[repair] We can look at"
    turn.replies["left"].end(None, "Stopped.", ())
    turn.replies["right"].text = "half a sentence"
    state.ask("and now?")  # stops the answers that still stream
    again = ChatState(ARMS)
    again.take_up(state.chat)
    for chat in (state, again):
        shown = text(chat)
        assert "[repair] We can look at" in shown
        assert "half a sentence" in shown
        assert shown.index("half a sentence") < shown.index("✗ Stopped.")
    assert [message.content for message in again.history(0)] == ["and now?"]


def test_slow_answer_shows_its_speed_with_a_decimal() -> None:
    state = ChatState(ARMS)
    replies = ask_and_answer(state).replies
    replies["left"].tokens_per_second, replies["right"].tokens_per_second = 0.4, 43.4
    shown = text(state)
    assert "0.4\N{NO-BREAK SPACE}tok/s" in shown
    assert "43\N{NO-BREAK SPACE}tok/s" in shown


def test_finished_answer_is_laid_out_once_per_width(monkeypatch: pytest.MonkeyPatch) -> None:
    laid_out: list[str] = []

    def counted(text: str, *, hyperlinks: bool, code_theme: str) -> Markdown:
        laid_out.append(text)
        return Markdown(text, hyperlinks=hyperlinks, code_theme=code_theme)

    monkeypatch.setattr(markdown, "Markdown", counted)
    markdown_lines.cache_clear()
    state = ChatState(ARMS)
    ask_and_answer(state)
    assert [text(state) for _ in range(3)] == [text(state)] * 3
    assert sorted(laid_out) == ["said by prompted", "said by run-3"]
    assert text(state, 60) != text(state)
    assert len(laid_out) == 4


def test_sides_are_shuffled_and_each_arm_keeps_its_own_history() -> None:
    state = ChatState(ARMS, blind=True, random=Random(7))
    for number in range(20):
        ask_and_answer(state, f"question {number}")
        state.vote("tie")
    assert {turn.swapped for turn in state.turns} == {True, False}
    for arm, name in enumerate(ARMS):
        answers = [message.content for message in state.history(arm) if message.role == "assistant"]
        assert answers == [f"said by {name}"] * 19
        assert state.history(arm)[-1] == Message("user", "question 19")


def test_only_a_finished_turn_without_errors_takes_one_vote() -> None:
    state = ChatState(ARMS)
    assert state.vote("tie") is None
    turn = state.ask("why?")
    assert state.vote("left") is None
    for place in PLACES:
        turn.replies[place].done = True
    turn.replies["right"].error = "The server is gone."
    assert state.vote("left") is None
    turn.replies["right"].error = ""
    vote = state.vote("left")
    assert vote is not None
    assert (vote.left, vote.right, vote.choice, turn.voted) == ("prompted", "run-3", "left", "left")
    assert vote.messages == (Message("user", "why?"),)
    assert state.vote("right") is None


def test_vote_stored_after_another_request_failed_still_counts() -> None:
    state = ChatState(ARMS)
    turn = ask_and_answer(state)
    vote = state.vote("left") or pytest.fail("no vote")
    state.forget_unkept()
    state.settle(vote, kept=True)
    assert (turn.voted, turn.kept) == ("left", True)
    assert state.vote("right") is None
    state.settle(vote, kept=False)
    assert (turn.voted, turn.kept) == (None, False)
    state.settle(vote, kept=False)
    assert state.votable


def test_strength_applies_only_to_adapters_and_stays_within_0_and_100() -> None:
    state = ChatState(ARMS)
    assert state.turn_dial(-3) == 70
    assert [state.named(arm) for arm in ARMS] == ["prompted", "run-3@70"]
    assert state.turn_dial(-30) == 0
    assert state.turn_dial(30) == 100
    assert state.named("run-3") == "run-3"


def test_again_repeats_the_question_and_take_back_returns_it() -> None:
    state = ChatState(ARMS, blind=True, random=Random(3))
    first = ask_and_answer(state, "one?")
    again = state.again()
    assert again is state.turn
    assert again is not None
    assert (again.question, again.swapped) == ("one?", first.swapped)
    assert again.replies["left"].text == ""
    assert state.take_back() == "one?"
    assert state.take_back() == ""


def test_question_that_is_asked_again_is_answered_at_the_strength_of_now() -> None:
    state = ChatState(ARMS)
    state.turn_dial(-2)
    ask_and_answer(state, "one?")
    for steps, arm in ((-1, "run-3@70"), (3, "run-3")):
        state.turn_dial(steps)
        again = state.again()
        assert again is not None
        assert [again.replies[place].arm for place in ("left", "right")] == ["prompted", arm]


@given(hostile_text, st.integers(10, 120))
def test_answers_fit_their_column_without_control_codes(answer: str, width: int) -> None:
    for line in markdown_lines(answer, width):
        assert line.cell_length <= width
        assert not control_characters(line.plain, "")


def test_link_shows_its_target_and_is_not_clickable() -> None:
    lines = markdown_lines("see [here](https://evil.example) and **this**", 60)
    assert "https://evil.example" in lines[0].plain
    assert "@click" not in str(lines[0].spans)
    assert any(span.style == "bold" for span in lines[0].spans)


@given(st.text(max_size=200), st.text(max_size=200), st.integers(20, 140))
def test_chat_fits_any_width(question: str, answer: str, width: int) -> None:
    state = ChatState(ARMS)
    turn = state.ask(question)
    turn.replies["left"].text, turn.replies["left"].done = answer, True
    for line in drawn(state, (), width):
        assert line.cell_length <= width


def test_dropped_turns_are_restored_with_their_arms_and_stopped() -> None:
    state = ChatState(arms=("prompted", "run-1"))
    assert not state.restore()
    first = state.ask("one")
    for reply in first.replies.values():
        reply.text, reply.done = "answer", True
    streaming = state.ask("two")
    state.choose(("prompted", "unprompted"))
    assert not state.turns
    assert state.restore()
    assert (state.arms, state.turns) == (("prompted", "run-1"), [first, streaming])
    assert [reply.error for reply in streaming.replies.values()] == ["Stopped.", "Stopped."]
    assert state.take_back() == "two"
    state.begin()
    assert state.restore()
    assert state.turns == [first]
    assert state.restore()
    assert state.turns == [first, streaming]


def test_streaming_answer_shows_failed_and_pending_rules() -> None:
    rules = (Rule(1, "Begins with A", Check("starts_with", text="A")), Rule(2, "JSON", Check("json")))
    state = ChatState(arms=("prompted", "run-1"))
    reply = state.ask("why").replies["left"]
    reply.text, reply.checks = "B is", check_so_far(rules, "B is")
    lines = "\n".join(line.plain for line in drawn(state, rules, 120))
    assert "1 ✗  2 ○" in lines
    assert "Begins with A" in lines
    reply.done, reply.checks = True, ()
    assert "2 ○" not in "\n".join(line.plain for line in drawn(state, rules, 120))


@given(width=st.integers(10, 60), count=st.integers(1, 30))
def test_rule_and_its_mark_stay_on_one_line(width: int, count: int) -> None:
    rules = tuple(Rule(number, "JSON", Check("json")) for number in range(1, count + 1))
    state = ChatState(arms=("prompted", "run-1"))
    state.ask("why").replies["left"].text = "B"
    lines = [line.plain.split(" │ ")[0].rstrip() for line in drawn(state, rules, width)]
    chips = [chip for line in lines if line.endswith("○") for chip in line.split("  ")]
    assert chips == [f"{rule.id} ○" for rule in rules]


@given(height=st.integers(1, 80), rows=st.integers(0, 400))
def test_growing_page_scrolls_by_quarters_of_its_height(height: int, rows: int) -> None:
    room, step = room_to_grow(rows, height), max(height // 4, 1)
    if rows <= height:
        assert room == 0
    else:
        assert 0 <= room < step
        assert (rows + room - height) % step == 0


def test_unfinished_answers_are_left_out_of_the_history() -> None:
    state = ChatState(arms=("prompted", "run-1"))
    left, right = state.ask("one").replies.values()
    left.text, left.done, right.text = "answer", True, "half an ans"
    state.ask("two")
    assert (right.done, right.error) == (True, "Stopped.")
    assert [message.content for message in state.history(0)] == ["one", "answer", "two"]
    assert [message.content for message in state.history(1)] == ["two"]
