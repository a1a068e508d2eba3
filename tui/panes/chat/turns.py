"""One turn of the chat as lines: the question, both answers in two columns, their figures and rule checks. Pure."""

from collections.abc import Sequence

from textual.content import Content

from engine.records.chat import ChatReply
from engine.records.rule import CheckResult, Rule
from tui.panes.chat.markdown import markdown_lines
from tui.panes.chat.state import PLACES, Place, Reply, Turn
from tui.panes.parts import broken_rule
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, dollars, flow, shorten, wrap

NARROWEST_SIDE_BY_SIDE = 56
_GAP = " │ "
_BROKEN_LINES = 3  # of text for one broken rule
_LETTERS: dict[Place, str] = {"left": "A", "right": "B"}
_Key = tuple[str, ChatReply, ChatReply]


class LaidOut:
    """The lines of finished turns, kept from one drawing to the next.

    A chat is drawn five times a second while its newest turn grows, and laying out a long answer takes 20 ms.
    """

    def __init__(self) -> None:
        self._rules: tuple[Rule, ...] = ()
        self._width = 0
        self._lines: dict[_Key, tuple[Content, ...]] = {}

    def missing(self, turns: Sequence[Turn], rules: tuple[Rule, ...], width: int) -> list[Turn]:
        """Return the finished turns that are not laid out for this width; forget everything else that is."""
        self._lay_out_for(rules, width)
        keys = {_key(turn): turn for turn in turns if turn.whole}
        self._lines = {key: self._lines[key] for key in keys if key in self._lines}
        return [turn for key, turn in keys.items() if key not in self._lines]

    def take(self, turn: Turn, lines: tuple[Content, ...], rules: tuple[Rule, ...], width: int) -> bool:
        """Keep the lines of a turn; return False, and forget them, if another width is needed by now."""
        if (rules, width) != (self._rules, self._width):
            return False
        self._lines[_key(turn)] = lines
        return True

    def of(self, turn: Turn, rules: tuple[Rule, ...], width: int) -> tuple[Content, ...]:
        """Return the lines of a finished turn, laying it out if it is missing."""
        self._lay_out_for(rules, width)
        key = _key(turn)
        if key not in self._lines:
            self._lines[key] = turn_lines(turn, rules, width)
        return self._lines[key]

    def _lay_out_for(self, rules: tuple[Rule, ...], width: int) -> None:
        """Forget lines that were laid out for others."""
        if (rules, width) != (self._rules, self._width):
            self._rules, self._width, self._lines = rules, width, {}


def _key(turn: Turn) -> _Key:
    return turn.question, turn.replies["left"].kept, turn.replies["right"].kept


def turn_lines(turn: Turn, rules: tuple[Rule, ...], width: int, *, hidden: bool = False) -> tuple[Content, ...]:
    """Return the question and both replies; if `hidden`, without anything that would reveal the arms."""
    lines = [Content.assemble(("> ", ACCENT), (line, STRONG)) for line in wrap(turn.question, width - 2)]
    lines.append(Content(""))
    side_by_side = width >= NARROWEST_SIDE_BY_SIDE
    side = (width - len(_GAP)) // 2 if side_by_side else width
    blocks = {place: _reply(place, turn.replies[place], rules, side, hidden=hidden) for place in PLACES}
    lines += _columns(blocks["left"], blocks["right"], side) if side_by_side else [
        *blocks["left"], Content(""), *blocks["right"],
    ]  # fmt: skip
    return (*lines, Content(""))


def _reply(place: Place, reply: Reply, rules: tuple[Rule, ...], width: int, *, hidden: bool) -> list[Content]:
    name = "hidden" if hidden else shorten(reply.arm, width - 4)
    head = Content.assemble((f"{_LETTERS[place]}  ", STRONG), (name, DIM))
    body = markdown_lines(reply.text, width) if reply.done else [Content(line) for line in wrap(reply.text, width)]
    if reply.error:
        came = [*body, Content("")] if reply.text else []
        return [head, *came, *marked("✗", reply.error, BAD, width)]
    lines = [head, *(body if reply.text else [Content.styled("…", DIM)])]
    # Token counts and times would reveal the arms, so they are shown only with the names.
    if reply.done and not hidden:
        lines += [Content(""), *(Content.styled(line, DIM) for line in wrap(_figures(reply), width))]
    if reply.checks or (reply.text and not reply.done and rules):
        above = [Content("")] if hidden or not reply.done else []
        lines += [*above, *_rules(reply.checks, rules, width, ended=reply.done)]
    return lines


def marked(mark: str, text: str, style: str, width: int) -> list[Content]:
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
        for line in marked("✗", broken_rule(check, texts.get(check.rule_id, "")), BAD, width)[:_BROKEN_LINES]
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
