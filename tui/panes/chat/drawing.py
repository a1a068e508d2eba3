"""The chat as lines: what is compared, the turns so far, and how to vote on the newest. Pure."""

from textual.content import Content

from engine.evaluation.preference import Standing
from engine.records.rule import Rule
from engine.records.vote import VoteChoice
from engine.wording import counted, percent
from tui.keys import key_of
from tui.panes.chat.state import ChatState, Turn
from tui.panes.chat.turns import LaidOut, marked, turn_lines
from tui.panes.parts import title
from tui.widgets.lines import ACCENT, DIM, WARN, shorten, wrap
from tui.widgets.next_steps import next_steps

_VOTED: dict[VoteChoice, str] = {
    "left": "A was better",
    "right": "B was better",
    "tie": "a tie",
    "both_bad": "both were bad",
}


def draw(state: ChatState, score: Standing, rules: tuple[Rule, ...], width: int, laid_out: LaidOut) -> list[Content]:
    """All lines of the chat. `laid_out` saves laying out the finished turns again."""
    lines = _head(state, score, width)
    if not state.turns:
        return [*lines, *_nothing(state, width)]
    for turn in state.turns:
        newest = turn is state.turn
        hidden = newest and state.hidden
        lines += (
            laid_out.of(turn, rules, width)
            if turn.whole and not hidden
            else turn_lines(turn, rules, width, hidden=hidden)
        )
        lines += _foot(turn, state, width, newest=newest)
    return lines


def draw_waiting(state: ChatState, score: Standing, width: int) -> list[Content]:
    """The lines to show while a long chat is laid out for the first time."""
    words = f"Laying out {counted(len(state.turns), 'question')} with the answers …"
    return [*_head(state, score, width), Content.styled(shorten(words, width), DIM)]


def room_to_grow(rows: int, height: int) -> int:
    """How many blank rows to leave below this many rows while they grow in a page of this height.

    A full page would scroll with every new line, and each time the whole page would be sent to the terminal. So it
    scrolls by a quarter of its height at once, which is also easier to read.
    """
    return -(rows - height) % max(height // 4, 1) if rows > height else 0


def _head(state: ChatState, score: Standing, width: int) -> list[Content]:
    lines = title("Chat", _compared(state, width), "", width)
    lines[1:] = [Content.styled(shorten(_standing(state, score), width), DIM), Content("")]
    return [*lines, *marked("!", state.note, WARN, width), Content("")] if state.note else lines


def _compared(state: ChatState, width: int) -> str:
    if not state.arms[0]:
        return "no arm yet"
    dial = f"   adapter at {percent(state.strength / 100)}" if any(arm.startswith("run-") for arm in state.arms) else ""
    blind = "   blind" if state.blind else ""
    room = width - len(f"Chat    against {dial}{blind}")
    first, second = (
        shorten(arm, max(room // 2, room - len(other), 12)) for arm, other in (state.arms, state.arms[::-1])
    )
    return f"{first} against {second}{dial}{blind}"


def _standing(state: ChatState, score: Standing) -> str:
    if not score.votes:
        return "no votes yet"
    if state.hidden:
        return f"{score.votes} votes"  # which arm leads would reveal them
    counts = f"{score.first} : {score.second}, {score.ties} ties, {score.both_bad} both bad"
    if (rate := score.win_rate) is None:
        return counts
    return f"{counts}   wins {percent(rate.rate)} ({percent(rate.low)} – {percent(rate.high)})"


def _nothing(state: ChatState, width: int) -> list[Content]:
    if not state.arms[0]:
        words = "The chat needs a prompt first."
        steps = next_steps(("workspace.prompt", "go to the prompt pane to write one", "distill-tui prompt set FILE"))
    else:
        words = "Ask both arms at once, and see whether the prompt is still needed."
        steps = next_steps(
            ("chat.ask", "ask a question", ""),
            ("chat.blind", "hide which arm is which, and shuffle the sides", ""),
            ("chat.arms", "compare other arms", ""),
        )
    return [row for line in (Content(words), Content(""), *steps) for row in line.wrap(width) or [line]]


def _foot(turn: Turn, state: ChatState, width: int, *, newest: bool) -> list[Content]:
    """The vote on a turn, or how to vote on it."""
    if turn.voted is not None:
        said = f"You said: {_VOTED[turn.voted]}." if turn.kept else "Storing your vote …"
        return [Content.styled(said, DIM), Content("")]
    if not newest or not turn.comparable:
        return [Content("")]
    if not state.votable:
        return [*(Content.styled(line, DIM) for line in wrap(no_vote(turn), width)), Content("")]
    votes = ("vote_left", "A"), ("vote_right", "B"), ("vote_tie", "tie"), ("vote_both_bad", "both bad")
    keys = (f"{key_of(f'chat.{vote}')} {word}" for vote, word in votes)
    return [*Content.styled("   ".join(("Which is better?", *keys)), ACCENT).wrap(width), Content("")]


def no_vote(turn: Turn) -> str:
    """Why a vote on this turn is refused."""
    if turn.voted is not None:
        return f"You have already voted. Press {key_of('chat.unvote')} to undo your vote."
    if not turn.comparable:
        return "There are not two complete answers to compare."
    return "The arms are revealed, so a vote on this turn would not be blind."
