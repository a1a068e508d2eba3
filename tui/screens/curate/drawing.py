"""The review as lines: the list around the cursor, and the shown answer below it. Pure."""

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from engine.records.example import ExampleState
from engine.records.job import state_word
from tui.keys import key_of
from tui.panes.parts import older_answers_text, ways_from_older
from tui.screens.curate.answer import draw_answer
from tui.screens.curate.state import ReviewState
from tui.services.review import ReviewPage, ReviewRow, Where
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, fit, justify, shorten
from tui.widgets.listing import numbered
from tui.widgets.next_steps import next_steps
from tui.widgets.rows import window

MARKS: dict[ExampleState, tuple[str, str]] = {"accepted": ("✓", GOOD), "rejected": ("✗", BAD), "undecided": ("○", "")}
_FEWEST_LISTED = 3
_FEWEST_FOR_AN_ANSWER = 9  # the question, two lines of answer, two rules, and the decision


@dataclass(frozen=True, slots=True)
class Drawn:
    """The page, and the scroll position of the answer in it."""

    lines: list[Content]
    scroll: int = 0


def draw(state: ReviewState, width: int, height: int) -> Drawn:
    """Draw all lines, at most `height`: title, list, answer, rules."""
    page = state.page
    if page is None:
        return Drawn([Content.styled("Reading the examples …", DIM)])
    lines = [_title(state, page, width), _second(state, page, width)]
    if page.total == 0:
        text, ways = _nothing(state.where, page)
        return Drawn([*lines, Content(f"{text}."), Content(""), *next_steps(*ways)])
    if not state.whole:
        lines += _list(state, page, width, _listed_rows(state, page, height))
        lines.append(Content.styled("─" * width, DIM))
    row = state.row
    if row is None:
        return Drawn(lines)
    shown = draw_answer(
        row,
        {rule.id: rule.text for rule in page.rules},
        width,
        height - len(lines),
        scroll=state.scroll,
        comparing=state.comparing,
    )
    return Drawn([*lines, *shown.lines][:height], shown.scroll)


def _listed_rows(state: ReviewState, page: ReviewPage, height: int) -> int:
    """The list's share of the page; the answer always keeps enough space to be readable."""
    wanted = (height - 4) * state.shares.of("review") // 100
    return max(_FEWEST_LISTED, min(page.total, wanted, height - 3 - _FEWEST_FOR_AN_ANSWER))


def _title(state: ReviewState, page: ReviewPage, width: int) -> Content:
    counts = page.counts
    parts: list[Content | tuple[str, str] | str] = [
        ("Review", STRONG),
        "   ",
        (f"{counts.accepted:,} ✓", GOOD),
        "  ",
        (f"{counts.rejected:,} ✗", BAD),
        "  ",
        f"{counts.undecided:,} ○",
    ]
    if counts.flagged:
        parts += ["  ", (f"{counts.flagged:,} ⚑", WARN)]
    pace = f"{state.a_minute:.0f} per minute" if state.a_minute is not None else ""
    return justify(Content.assemble(*parts), Content.styled(pace, DIM), width)


def _second(state: ReviewState, page: ReviewPage, width: int) -> Content:
    """Marks or work in progress at the left, the current filter at the right."""
    asked = page.asked
    if state.doing:
        left = Content.styled(f"● {state.doing}", ACCENT)
    elif state.checking:
        left = Content.styled("● checking rules …", ACCENT)
    elif state.marks.any:
        following = "  range" if state.marks.anchor is not None else ""
        left = Content.styled(f"◆ {state.marked:,} marked{following}", ACCENT)
    elif asked is not None and asked.live and asked.open_questions:
        left = Content.styled(
            f"● {len(asked.open_questions):,} asked again; job {asked.job.id} {state_word(asked.job.state)}", ACCENT
        )
    else:
        left = Content("")
    return justify(left, Content.styled(shorten(listed_text(state.where, page), width - 2), DIM), width)


def listed_text(where: Where, page: ReviewPage) -> str:
    """The current filter, in a few words."""
    words = [where.state or "", "flagged" if where.flagged else ""]
    if where.topic is not None:
        words.append(f"topic {shorten(where.topic, 20) or '–'}")
    if where.rule is not None:
        words.append(f"fails rule {where.rule}")
    if where.search:
        words.append(f"“{shorten(where.search, 20)}”")
    narrowed = "  ".join(filter(None, words))
    if not narrowed:
        return "all"
    place = f"  {where.cursor + 1:,} of {page.total:,}" if page.total else ""
    return f"{narrowed}{place}"


def _nothing(where: Where, page: ReviewPage) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    """Why no answer is listed, and what to do next."""
    if not page.counts.total or where.same_list(Where()):
        if page.older:
            return older_answers_text(page.older), ways_from_older(updates=page.updates, leave="curate.back")
        keys = "curate.back workspace.examples examples.generate"
        return "The teacher has not answered yet", ((keys, "generate answers", "distill-tui generate"),)
    text = f"Nothing in this list: {listed_text(where, page)}"
    if where.search:
        return text, (("curate.back", "back to the previous list", ""),)
    return text, (("curate.filter", "next filter", ""), ("curate.choose", "choose topic or rule", ""))


def nothing_text(state: ReviewState) -> str:
    """The same in one line, for a key that needs an answer."""
    if state.page is None:
        return "Still reading the answers."
    text, ways = _nothing(state.where, state.page)
    return f"{text}; {', '.join(f'{key_of(*names.split())} {words}' for names, words, _ in ways)}."


def _list(state: ReviewState, page: ReviewPage, width: int, count: int) -> list[Content]:
    cursor = state.where.cursor
    asked = page.asked.open_questions if page.asked is not None and page.asked.live else frozenset()
    lines: list[Content] = []
    for place in window(cursor, count, page.total):
        index = place - page.offset
        if not 0 <= index < len(page.rows):
            lines.append(Content.styled("  …", DIM))
            continue
        row = page.rows[index]
        asked_again, marked = row.question_id in asked, state.is_marked(row, place)
        lines.append(numbered(_listed(row, width, here=place == cursor, marked=marked, asked=asked_again), place))
    return lines


def _listed(row: ReviewRow, width: int, *, here: bool, marked: bool, asked: bool) -> Content:
    mark, style = MARKS[row.state]
    broken = [check.rule_id for check in row.checks if not check.passed]
    tail, tail_style = (f"rule {', '.join(map(str, broken))} ✗", BAD) if broken else ("", DIM)
    if row.answer != row.generated:
        tail, tail_style = f"edited  {tail}".rstrip(), tail_style if broken else DIM
    if len(row.attempts) > 1:
        tail = f"{row.attempts.index(row.id) + 1} of {len(row.attempts)}  {tail}".rstrip()
    if asked:
        tail, tail_style = "● asked again", ACCENT
    tail = shorten(tail, width // 3)
    room = width - 5 - 14 - 3 - cell_len(tail)
    return Content.assemble(
        ("▌" if here else " ", ACCENT),
        ("◆" if marked else " ", ACCENT),
        (mark, style),
        ("⚑" if row.note is not None else " ", WARN),
        " ",
        (f"{fit(row.topic, 12)}  ", DIM),
        (f"{fit(row.question, room)}   ", STRONG if here else ""),
        (tail, tail_style),
    )
