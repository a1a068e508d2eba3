"""Draw the prompt as lines: the system message, the example turns, and beside them the rules."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from textual.content import Content

from engine.clean import clean_text
from engine.economics.tokens import estimate_prompt_tokens
from engine.records.prompt import Message, Prompt, Role
from engine.records.rule import Rule, Span
from engine.rules.described import check_text
from engine.wording import counted, percent
from tui.keys import key_of
from tui.panes.parts import heading, title
from tui.panes.prompt.marking import MarkKind, code_lines, marks_of
from tui.services.facts import Facts
from tui.services.prompt import Passage
from tui.widgets.lines import ACCENT, BAD, DIM, STRONG, WARN, justify, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps

MARK_STYLES: dict[MarkKind, str] = {
    "turn": f"{STRONG} {ACCENT}",
    "heading": STRONG,
    "list": ACCENT,
    "quote": DIM,
    "code": ACCENT,
    "strong": STRONG,
}
# The sign before a message's first row, and the indentation of its other rows; the system message gets the full width.
_SIGNS: dict[Role, tuple[str, str]] = {"system": ("", ""), "user": ("› ", "  "), "assistant": ("  ", "  ")}
_CHECK_LINES = 3
_PASSAGE = f"{ACCENT} underline"
_NO_PROMPT = "No prompt yet. The prompt is what gets distilled: a system message and, if you like, example turns."


def draw_title(facts: Facts, *, draft: bool, width: int) -> list[Content]:
    """Draw the pane's first lines; a draft is announced here, where it is easy to see."""
    if facts.prompt is None and not draft:
        return title("Prompt", "none yet", "", width)
    turns = len(facts.prompt.example_turns) // 2 if facts.prompt is not None else 0
    figure = f"{facts.prompt_tokens} tokens" if facts.prompt is not None else "none yet"
    if draft:
        left = Content.assemble(("Prompt", STRONG), "   ", (figure, ACCENT))
        note = Content.assemble(
            ("○ unsaved draft", WARN),
            (f"   {key_of('prompt.edit')} continues it   {key_of('prompt.drop')} discards it", DIM),
        )
        return [justify(left, note, width), Content("")]
    rest = f"{counted(turns, 'example turn')}   version {facts.prompt_version}" if turns else ""
    return title("Prompt", figure, rest or f"version {facts.prompt_version}", width)


def draw_empty(width: int) -> list[Content]:
    """Draw what is missing, and the keys that add it."""
    return [
        *(Content(line) for line in wrap(_NO_PROMPT, width)),
        Content(""),
        *next_steps(
            ("prompt.edit", "write one here", ""),
            ("prompt.editor", "open your editor", ""),
            ("prompt.bring", "import a file", "distill-tui prompt set FILE"),
        ),
    ]


def draw_text(prompt: Prompt, passages: Sequence[Passage], width: int) -> tuple[list[Content], int | None]:
    """Return the prompt's lines, and the index of the first one that contains a passage."""
    lines: list[Content] = []
    first: int | None = None
    turns = prompt.example_turns
    for index, message in enumerate(prompt.messages):
        if message.role == "system":
            lines.append(heading(f"system{_share(prompt, prompt.messages[:1]) if turns else ''}"))
        elif message is turns[0]:
            share = _share(prompt, turns) if prompt.system else ""
            lines.append(heading(f"{counted(len(turns) // 2, 'example turn')}{share}"))
        spans = [passage.span for passage in passages if passage.message == index]
        shown, marked = _message(message, spans, width)
        if marked is not None and first is None:
            first = len(lines) + marked
        lines += shown
        if message.role != "user":
            lines.append(Content(""))
    return lines, first


def draw_rules(
    rules: Sequence[Rule], cursor: int, passages: Sequence[Passage] | None, width: int, *, focused: bool
) -> list[Content]:
    """Draw the rules with their checks in words."""
    lines = [Content.styled(counted(len(rules), "rule"), STRONG if focused else DIM)]
    if not rules:
        # In the text the same letters act on the prompt itself, so the key that goes to the rules comes first.
        way = "" if focused else "prompt.rules "
        lines += [
            Content(""),
            *next_steps(
                (f"{way}rules.add", "write one", ""),
                (f"{way}rules.bring", "import a file", ""),
                ("prompt.propose", "propose some", ""),
            ),
            Content(""),
            Content.styled(shorten("distill-tui rules add", width), DIM),
        ]
        return lines
    for place, rule in enumerate(rules):
        chosen = place == cursor
        mark = ("▌", ACCENT if focused else DIM) if chosen else (" ", "")
        for row, line in enumerate(wrap(rule.text, max(width - 5, 8))):
            number = f"{rule.id:>3} " if row == 0 else "    "
            lines.append(numbered(Content.assemble(mark, (number, DIM), (line, STRONG if chosen else "")), place))
        words = wrap(check_text(rule.check), max(width - 5, 8))
        if len(words) > _CHECK_LINES:
            words = [*words[: _CHECK_LINES - 1], shorten(" ".join(words[_CHECK_LINES - 1 :]), max(width - 5, 8))]
        lines += [numbered(Content.assemble(mark, "    ", (line, DIM)), place) for line in words]
        if chosen and passages is not None:
            text = "marked in the text" if passages else "not found in the text"
            lines.append(numbered(Content.assemble(mark, "    ", (text, ACCENT if passages else DIM)), place))
    return lines


def _share(prompt: Prompt, part: tuple[Message, ...]) -> str:
    """Return the messages' share of the prompt; a token count could disagree with the title's tokenizer."""
    whole = estimate_prompt_tokens(prompt).tokens
    return f"   ≈ {percent(estimate_prompt_tokens(Prompt(part)).tokens / whole)} of total" if whole else ""


def _message(message: Message, spans: Sequence[Span], width: int) -> tuple[list[Content], int | None]:
    """Return one message's lines, and the index of the first one that contains one of `spans`."""
    raw = message.content.split("\n")
    code = code_lines(raw) if message.role == "system" else [False] * len(raw)
    lines: list[Content] = []
    first: int | None = None
    start = 0
    for line, in_code in zip(raw, code, strict=True):
        touched = tuple(
            (max(span.start - start, 0), min(span.end - start, len(line)))
            for span in spans
            if span.start < start + len(line) and span.end > start
        )
        rows = _rows(line, message.role, touched, width, code=in_code, first=not lines)
        if touched and first is None:
            first = len(lines) + _row_of(rows, touched[0][0], len(_SIGNS[message.role][1]))
        lines += rows
        start += len(line) + 1
    return lines, first


# Twice the lines of a 50 KB prompt, so that moving over the rules redraws only the lines whose marks change.
@lru_cache(maxsize=2_048)
def _rows(
    line: str, role: Role, touched: tuple[tuple[int, int], ...], width: int, *, code: bool, first: bool
) -> tuple[Content, ...]:
    """Return the rows of one line. Only a system message gets Markdown marks: elsewhere nobody writes it."""
    shown = clean_text(line).replace("\t", "    ")
    content = Content.styled(shown, DIM) if role == "user" else Content(shown)
    if role == "system":
        for mark in marks_of(shown, code=code, turns=False):
            content = content.stylize(MARK_STYLES[mark.kind], mark.start, mark.end)
    if shown == line:  # cleaning moved no character
        for begin, end in touched:
            content = content.stylize(_PASSAGE, begin, end)
    sign, indent = _SIGNS[role]
    room = width - len(indent)
    rows = content.wrap(room) if content.cell_length > room else [content]
    return tuple(
        Content.assemble((sign, ACCENT) if row == 0 and first else indent, part) for row, part in enumerate(rows)
    )


def _row_of(rows: Sequence[Content], character: int, indent: int) -> int:
    """Return the row of a wrapped line that holds a character, as exactly as spaces lost at breaks allow."""
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row.plain) - indent + 1)  # one for the space lost at the break
    return next((index for index, (_, after) in enumerate(pairwise(starts)) if character < after), len(rows) - 1)


def draw_editing(tokens: int, turns: int, width: int, *, changed: bool) -> list[Content]:
    """Draw the line above the field: its figures, and whether it is saved."""
    left = Content.assemble(("Edit the prompt", STRONG), "   ", (f"≈ {tokens:,} tokens", ACCENT))
    if turns:
        left = Content.assemble(left, ("   " + counted(turns, "example turn"), DIM))
    state = Content.styled("○ not saved", WARN) if changed else Content.styled("saved", DIM)
    return [justify(left, state, width), Content("")]


def draw_words(text: str, error: str, width: int) -> list[Content]:
    """Draw the lines under the field: why it cannot be saved, or what a file contained; often nothing."""
    words, style = (f"✗ {error}", BAD) if error else (text, DIM)
    return [Content(""), *(Content.styled(line, style) for line in wrap(words, width)[:3])] if words else []
