"""The chat as lines: the turns so far in two columns, the newest turn with its figures and rule checks."""

from textual.content import Content

from engine.evaluation.preference import Standing
from engine.records.rule import CheckResult, Rule
from engine.records.vote import VoteChoice
from tui.keys import key_of
from tui.panes.chat.markdown import markdown_lines
from tui.panes.chat.state import PLACES, ChatState, Place, Reply, Turn
from tui.panes.parts import broken_rule, title
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, dollars, fit, flow, percent, shorten, wrap
from tui.widgets.next_steps import next_steps

NARROWEST_SIDE_BY_SIDE = 56
_GAP = " │ "
_BROKEN_LINES = 3  # of text for one broken rule
_LETTERS: dict[Place, str] = {"left": "A", "right": "B"}
_VOTED: dict[VoteChoice, str] = {
    "left": "A was better",
    "right": "B was better",
    "tie": "a tie",
    "both_bad": "both were bad",
}


def draw(state: ChatState, score: Standing, rules: tuple[Rule, ...], width: int) -> list[Content]:
    """All lines of the chat."""
    lines = title("Chat", _compared(state), "", width)
    lines[1:] = [Content.styled(shorten(_standing(state, score), width), DIM), Content("")]
    if state.note:
        lines += [*_marked("!", state.note, WARN, width), Content("")]
    if not state.turns:
        return [*lines, *_nothing(state)]
    for turn in state.turns:
        lines += _turn(turn, state, rules, width, newest=turn is state.turn)
    return lines


def room_to_grow(rows: int, height: int) -> int:
    """How many blank rows to leave below this many rows while they grow in a page of this height.

    A full page would scroll with every new line, and each time the whole page would be sent to the terminal. So it
    scrolls by a quarter of its height at once, which is also easier to read.
    """
    return -(rows - height) % max(height // 4, 1) if rows > height else 0


def _compared(state: ChatState) -> str:
    if not state.arms[0]:
        return "no arm yet"
    dial = f"   adapter at {state.strength} %" if any(arm.startswith("run-") for arm in state.arms) else ""
    first, second = (" ".join(fit(arm, 24).split()) for arm in state.arms)
    return f"{first} against {second}{dial}{'   blind' if state.blind else ''}"


def _standing(state: ChatState, score: Standing) -> str:
    if not score.votes:
        return "no votes yet"
    if state.hidden:
        return f"{score.votes} votes"  # which arm leads would reveal them
    counts = f"{score.first} : {score.second}, {score.ties} ties, {score.both_bad} both bad"
    if (rate := score.win_rate) is None:
        return counts
    return f"{counts}   wins {percent(rate.rate)} ({percent(rate.low)} – {percent(rate.high)})"


def _nothing(state: ChatState) -> list[Content]:
    if not state.arms[0]:
        return [
            Content("The chat needs a prompt first."),
            Content(""),
            *next_steps(("workspace.prompt", "go to the prompt pane to write one", "distill-tui prompt set FILE")),
        ]
    return [
        Content("Ask both arms at once, and see whether the prompt is still needed."),
        Content(""),
        *next_steps(
            ("chat.ask", "ask a question", ""),
            ("chat.blind", "hide which arm is which, and shuffle the sides", ""),
            ("chat.arms", "compare other arms", ""),
        ),
    ]


def _turn(turn: Turn, state: ChatState, rules: tuple[Rule, ...], width: int, *, newest: bool) -> list[Content]:
    hidden = newest and state.hidden
    lines = [Content.assemble(("> ", ACCENT), (line, STRONG)) for line in wrap(turn.question, width - 2)]
    lines.append(Content(""))
    side_by_side = width >= NARROWEST_SIDE_BY_SIDE
    side = (width - len(_GAP)) // 2 if side_by_side else width
    blocks = {place: _reply(place, turn.replies[place], rules, side, hidden=hidden) for place in PLACES}
    lines += _columns(blocks["left"], blocks["right"], side) if side_by_side else [
        *blocks["left"], Content(""), *blocks["right"],
    ]  # fmt: skip
    lines.append(Content(""))
    if turn.voted is not None:
        lines.append(Content.styled(f"You said: {_VOTED[turn.voted]}." if turn.kept else "Storing your vote …", DIM))
    elif newest and turn.comparable and not state.votable:
        lines += [Content.styled(line, DIM) for line in wrap(no_vote(turn), width)]
    elif newest and turn.comparable:
        votes = ("vote_left", "A"), ("vote_right", "B"), ("vote_tie", "tie"), ("vote_both_bad", "both bad")
        keys = (f"{key_of(f'chat.{vote}')} {word}" for vote, word in votes)
        lines.append(Content.styled("   ".join(("Which is better?", *keys)), ACCENT))
    return [*lines, Content("")]


def no_vote(turn: Turn) -> str:
    """Why a vote on this turn is refused."""
    if turn.voted is not None:
        return f"You have already voted. Press {key_of('chat.unvote')} to undo your vote."
    if not turn.comparable:
        return "There are not two complete answers to compare."
    return "The arms are revealed, so a vote on this turn would not be blind."


def _reply(place: Place, reply: Reply, rules: tuple[Rule, ...], width: int, *, hidden: bool) -> list[Content]:
    name = "hidden" if hidden else shorten(reply.arm, width - 4)
    head = Content.assemble((f"{_LETTERS[place]}  ", STRONG), (name, DIM))
    body = markdown_lines(reply.text, width) if reply.done else [Content(line) for line in wrap(reply.text, width)]
    if reply.error:
        came = [*body, Content("")] if reply.text else []
        return [head, *came, *_marked("✗", reply.error, BAD, width)]
    lines = [head, *(body if reply.text else [Content.styled("…", DIM)])]
    # Token counts and times would reveal the arms, so they are shown only with the names.
    if reply.done and not hidden:
        lines += [Content(""), *(Content.styled(line, DIM) for line in wrap(_figures(reply), width))]
    if reply.checks or (reply.text and not reply.done and rules):
        above = [Content("")] if hidden or not reply.done else []
        lines += [*above, *_rules(reply.checks, rules, width, ended=reply.done)]
    return lines


def _marked(mark: str, text: str, style: str, width: int) -> list[Content]:
    """Text that is not an answer, after a mark that says so without colour."""
    lines = wrap(text, width - 2)
    return [Content.styled(f"{mark if place == 0 else ' '} {line}", style) for place, line in enumerate(lines)]


def _figures(reply: Reply) -> str:
    parts = [f"{reply.prompt_tokens:,} → {reply.completion_tokens:,} tok"]
    if reply.first_token_s is not None:
        parts.append(f"{reply.first_token_s:.2f} s first")
    if reply.tokens_per_second is not None:
        parts.append(f"{reply.tokens_per_second:.{1 if reply.tokens_per_second < 9.95 else 0}f} tok/s")
    if reply.cost_usd is not None:
        parts.append(dollars(reply.cost_usd))
    # Lines break between figures, never between a figure and its unit.
    return "  ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


def _rules(checks: tuple[CheckResult, ...], rules: tuple[Rule, ...], width: int, *, ended: bool) -> list[Content]:
    """All rules on one line, pending those that need the whole answer; below it, the text of those that fail."""
    texts = {rule.id: rule.text for rule in rules}
    found = {check.rule_id: ("✓", GOOD) if check.passed else ("✗", BAD) for check in checks}
    # After the check, only the rules of that time: a rule that was added later was not checked.
    numbers = [rule.id for rule in rules if not ended or rule.id in found]
    numbers += [number for number in found if number not in numbers]
    marks = [Content.assemble((f"{n} ", DIM), found.get(n, ("○", DIM))) for n in numbers]
    broken = [
        line
        for check in checks
        if not check.passed
        for line in _marked("✗", broken_rule(check, texts.get(check.rule_id, "")), BAD, width)[:_BROKEN_LINES]
    ]
    return [*flow(marks, "  ", width), *broken]


def _columns(left: list[Content], right: list[Content], side: int) -> list[Content]:
    """Two blocks side by side, with a thin rule between them."""
    rows = max(len(left), len(right))
    padded = (block + [Content("")] * (rows - len(block)) for block in (left, right))
    return [
        Content.assemble(one, " " * max(side - one.cell_length, 0), (_GAP, DIM), two)
        for one, two in zip(*padded, strict=True)
    ]
