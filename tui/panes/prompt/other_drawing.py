"""Draw the other views of the prompt pane as lines: versions and changes, trial answers, a tested answer."""

from collections.abc import Sequence

from textual.content import Content

from engine.clean import clean_text
from engine.economics.tokens import TokenCount
from engine.prompts.compare import ComparedLine, LineKind
from engine.records.rule import CheckResult, Rule
from tui.keys import key_of
from tui.panes.parts import failure, title, unread
from tui.panes.prompt.state import OwnAnswerState, TrialState, VersionsState
from tui.services.prompt import VersionRow
from tui.services.trial import TriedAnswer
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, fit, format_time, justify, shorten, wrap
from tui.widgets.listing import numbered
from tui.widgets.rows import window

_SIGNS: dict[LineKind, tuple[str, str, str]] = {  # sign, style of the line, style of its changed words
    "same": ("  ", DIM, DIM),
    "removed": ("- ", BAD, f"{BAD} strike"),
    "added": ("+ ", GOOD, f"{GOOD} underline"),
    "gap": ("  ", DIM, DIM),
}
_CHECKS_WIDTH = 30
_BESIDE_FROM = 76


def draw_versions(state: VersionsState, width: int, height: int) -> list[Content]:
    """Draw the versions around the cursor, and a line that says which two are compared."""
    rows = state.rows
    if rows is None:
        return unread("the versions", state.failure, width, "versions.back", "prompt.versions")
    lines = title("Versions", str(len(rows)), "", width)
    if not rows:
        return [
            *lines,
            Content.assemble("No prompt yet. ", (key_of("versions.back", "prompt.edit"), ACCENT), " writes one."),
        ]
    for place in window(state.cursor, max(3, height // 3), len(rows)):
        lines.append(
            numbered(
                _version(rows[place], state.counts.get(rows[place].version), width, here=place == state.cursor), place
            )
        )
    chosen = rows[state.cursor]
    current = next((row.version for row in rows if row.current), 0)
    text = (
        "this is the current version"
        if chosen.current
        else f"from version {chosen.version} to {current}, the current one{', full text' if state.whole else ''}"
    )
    return [*lines, Content(""), Content.styled(shorten(text, width), DIM)]


def _version(row: VersionRow, count: TokenCount | None, width: int, *, here: bool) -> Content:
    mark = ("●", ACCENT) if row.current else (" ", "")
    rules = f"{row.rules_found} of {row.rules} rules found" if row.rules else ""
    tokens = f"{count.tokens:,} tokens" if count and count.exact else f"≈ {(count or row).tokens:,} tokens"
    figures = f"{format_time(row.created_at)}   {tokens:>15}   {fit(rules, 20)}"
    return justify(
        Content.assemble(
            ("▌ " if here else "  ", ACCENT),
            mark,
            (f"{row.version:>4}", STRONG if here else ""),
            "   ",
            (figures, "" if here else DIM),
            "  ",
            (shorten(row.note, max(width - 70, 0)), DIM),
        ),
        Content(""),
        width,
    )


def draw_difference(lines: Sequence[ComparedLine] | None, width: int) -> list[Content]:
    """Draw what changed, line by line: signs at the edge, changed words struck through or underlined."""
    if lines is None:
        return [Content.styled("Comparing …", DIM)]
    if not lines:
        return [Content.styled("No differences.", DIM)]
    drawn: list[Content] = []
    for line in lines:
        sign, style, changed_style = _SIGNS[line.kind]
        if line.kind == "gap":
            same = "1 line" if line.left_out == 1 else f"{line.left_out} lines"
            drawn.append(Content.styled(f"  … {same} unchanged", DIM))
            continue
        content = Content.assemble(
            *((_clean(piece.text), changed_style if piece.changed else style) for piece in line.pieces)
        )
        rows = content.wrap(width - 2) if content.cell_length > width - 2 else [content]
        drawn += [Content.assemble((sign, style), row) for row in rows]
    return drawn


def draw_trial(state: TrialState, rules: Sequence[Rule], version: int, width: int) -> list[Content]:
    """Draw the answers so far, each with its rule results, and the state of the trial."""
    texts = {rule.id: rule.text for rule in rules}
    lines = title("Try", f"{len(state.answers)} of {state.asked} answered", shorten(state.teacher, width // 2), width)
    if state.version not in (0, version):
        older = f"◐ answers to version {state.version}; version {version} of the prompt is current"
        lines[1:] = [Content.styled(shorten(older, width), WARN), Content("")]
    for answer in state.answers:
        lines += [Content.assemble(("› ", ACCENT), (line, STRONG)) for line in wrap(answer.question, width - 2)]
        lines += _beside(answer, texts, width) if width >= _BESIDE_FROM else _below(answer, texts, width)
        lines.append(Content(""))
    if state.running:
        number = len(state.answers) + 1
        ways = f"{key_of('trial.end')} stops   nothing is stored"
        if state.note:
            lines += [Content.styled(line, ACCENT) for line in wrap(f"● question {number}: {state.note}", width)]
            lines.append(Content.styled(f"  {ways}", DIM))
        else:
            lines.append(
                Content.assemble((f"● the teacher is answering question {number}", ACCENT), (f"   {ways}", DIM))
            )
    elif state.error is not None:
        lines.append(Content.styled(f"✗ {_clean(state.error.title)}", f"{STRONG} {BAD}"))
        for sentence in (state.error.message, state.error.next):
            lines += [Content(f"  {line}") for line in wrap(sentence, width - 2) if sentence]
        lines.append(Content.assemble("  ", (key_of("prompt.trial"), ACCENT), (" tries again", DIM)))
    elif state.stopped:
        lines.append(Content.assemble("Stopped.   ", (key_of("prompt.trial"), ACCENT), (" tries again", DIM)))
    else:
        kept = sum(all(rule.passed for rule in answer.rules) for answer in state.answers)
        text = f"{kept} of {len(state.answers)} pass every rule" if rules else "no rules to check yet"
        others = (key_of("prompt.trial"), ACCENT), (" tries others   nothing was stored", DIM)
        lines.append(Content.assemble((f"{text}   ", ""), *others))
    return lines


def _beside(answer: TriedAnswer, texts: dict[int, str], width: int) -> list[Content]:
    room = width - _CHECKS_WIDTH - 4
    left = [f"  {fit(line, room)}  " for line in wrap(answer.answer, room)]
    right = _checks(answer, texts, _CHECKS_WIDTH)
    blank = " " * (room + 4)
    return [
        Content.assemble(left[row] if row < len(left) else blank, right[row] if row < len(right) else "")
        for row in range(max(len(left), len(right)))
    ]


def _below(answer: TriedAnswer, texts: dict[int, str], width: int) -> list[Content]:
    return [
        *(Content(f"  {line}") for line in wrap(answer.answer, width - 2)),
        *(Content.assemble("  ", line) for line in _checks(answer, texts, width - 2)),
    ]


def _checks(answer: TriedAnswer, texts: dict[int, str], width: int) -> list[Content]:
    return [
        finding(rule.id, texts.get(rule.id, ""), rule.note, width, passed=rule.passed)
        for rule in sorted(answer.rules, key=lambda rule: (rule.passed, rule.id))
    ]


def finding(number: int, text: str, note: str, width: int, *, passed: bool) -> Content:
    """Draw one rule's result for an answer: passed or not, and why not."""
    return Content.assemble(
        ("✓" if passed else "✗", GOOD if passed else BAD),
        (f" {number} ", ""),
        (shorten(note if note and not passed else text, width - len(f" {number} ") - 1), DIM if passed else ""),
    )


def draw_own_title(state: OwnAnswerState, width: int) -> list[Content]:
    """Draw how many rules the typed answer passes."""
    if state.results is None or not state.text.strip():
        return title("Test the rules", "", "", width)
    kept = sum(result.passed for result in state.results)
    return title("Test the rules", f"{kept} of {len(state.results)} passed", "", width)


def draw_own_answer(state: OwnAnswerState, width: int) -> list[Content]:
    """Draw each rule's result for the typed answer."""
    if not state.text.strip():
        return [Content.styled("Type or paste an answer above; the rules are checked as you type.", DIM)]
    if state.results is None and state.failure is not None:
        return failure(state.failure, width)
    if state.results is None:
        return [Content.styled("Checking …", DIM)]
    if not state.results:
        return [Content.assemble("No rules yet.  ", (key_of("testing.back", "rules.add"), ACCENT), " writes one.")]
    texts = {rule.id: rule.text for rule in state.rules}
    lines: list[Content] = []
    for result in state.results:
        lines += _result(result, texts.get(result.rule_id, ""), width)
    return lines


def _result(result: CheckResult, text: str, width: int) -> list[Content]:
    lines = [finding(result.rule_id, text, "", width, passed=result.passed)]
    if result.note:
        lines += [Content.assemble("    ", (line, DIM)) for line in wrap(result.note, width - 4)]
    return lines


def _clean(text: str) -> str:
    return clean_text(text).replace("\t", "    ")
