"""One answer as lines: question, words with what breaks a rule marked or what an edit changed, rules. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from textual.content import Content

from engine.clean import clean_text
from engine.prompts.compare import ComparedLine, compare_texts
from engine.records.rule import CheckResult
from tui.keys import key_of
from tui.panes.parts import broken_rule, marked_answer
from tui.services.review import ReviewRow
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, shorten, spread, wrap

_SIGNS = {"same": "  ", "removed": "- ", "added": "+ ", "gap": "  "}
_HEAD_LINES = 2
_FEWEST_RULES = 2


@dataclass(frozen=True, slots=True)
class DrawnAnswer:
    """The lines, and how far the answer is scrolled in them."""

    lines: list[Content]
    scroll: int


def draw_answer(
    row: ReviewRow, rules: Mapping[int, str], width: int, height: int, *, scroll: int, comparing: bool
) -> DrawnAnswer:
    """The question, the answer, and what each rule finds, in `height` lines; the rules always have their place."""
    head = [Content.styled(line, STRONG) for line in wrap(row.question, width)[:_HEAD_LINES]]
    checks = sorted(row.checks, key=lambda check: (check.passed, check.rule_id))
    findings = [
        Content.assemble(
            ("✓ " if check.passed else "✗ ", GOOD if check.passed else BAD),
            shorten(_found(check, rules.get(check.rule_id, "")), width - 2),
        )
        for check in checks
    ]
    room = height - len(head) - 4
    shown = findings[: max(_FEWEST_RULES, min(len(findings), room - 3))]
    if hidden := checks[len(shown) :]:
        broken = sum(not check.passed for check in hidden)
        told = (f"{broken} broken", BAD) if broken else ("kept", DIM)
        shown.append(Content.assemble((f"  and {len(hidden)} more, ", DIM), told))
    compared = comparing and row.answer != row.generated
    body = _compared(row, width) if compared else marked_answer(row.answer, row.checks).wrap(width)
    room = max(room - len(shown), 2)
    scroll, between = 0 if len(body) <= room else scroll, Content("")
    if len(body) > room:
        scroll = max(0, min(scroll, len(body) - room))
        below = len(body) - room - scroll
        words = "  ".join(
            [f"{scroll} lines above"] * (scroll > 0)
            + [f"{below} lines below"] * (below > 0)
            + [key_of("curate.answer_down", "curate.answer_up", "curate.whole")]
        )
        between = Content.styled(f"… {words}", DIM)
        body = body[scroll : scroll + room]
    why = spread(_why(row, width, compared=compared), Content.styled(_attempt(row), ACCENT), width)
    return DrawnAnswer([*head, Content(""), *body, between, *shown, why], scroll)


def _found(check: CheckResult, text: str) -> str:
    """What a rule demands that is kept, and what was found; of a broken one first what was found."""
    return f"{check.rule_id} {text}{' · ' * bool(check.note)}{check.note}" if check.passed else broken_rule(check, text)


def _attempt(row: ReviewRow) -> str:
    if len(row.attempts) < 2:
        return ""
    keys = key_of("curate.attempt_before", "curate.attempt_after")
    return f"{keys} attempt {row.attempts.index(row.id) + 1} of {len(row.attempts)}"


def _why(row: ReviewRow, width: int, *, compared: bool) -> Content:
    by = "" if row.state == "undecided" else " by you" if row.by_person else " by the rules"
    words = " · ".join(part for part in (row.reason, f"{row.state}{by}") if part)
    if row.answer != row.generated:
        words += f"   edited; {key_of('curate.compare')} shows {'the answer alone' if compared else 'what changed'}"
    flag = "" if row.note is None else f"⚑ {row.note}   " if row.note else "⚑ flagged   "
    room = max(width - 24 if len(row.attempts) > 1 else width, 20)
    flag = f"{shorten(flag, room // 2)}   " if flag else ""
    return Content.assemble((flag, WARN), (shorten(words, room - len(flag)), DIM))


def _compared(row: ReviewRow, width: int) -> list[Content]:
    """What was generated against what stands: taken out is struck and dim, put in is underlined."""
    lines: list[Content] = []
    for line in compare_texts(clean_text(row.generated), clean_text(row.answer)):
        first, *rest = _pieces(line).wrap(width - 2) or [Content("")]
        style = {"removed": BAD, "added": GOOD}.get(line.kind, DIM)
        lines += [Content.assemble((_SIGNS[line.kind], style), first), *(Content.assemble("  ", more) for more in rest)]
    return lines


def _pieces(line: ComparedLine) -> Content:
    style = {"removed": f"{DIM} strike", "added": f"{STRONG} underline"}.get(line.kind, "")
    plain = DIM if line.kind == "removed" else ""
    return Content.assemble(*((piece.text, style if piece.changed else plain) for piece in line.pieces))
