"""One answer as lines: question, text with rule failures or edits marked, rules. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from textual.content import Content

from engine.clean import clean_text
from engine.prompts.compare import ComparedLine, compare_texts
from engine.records.rule import CheckResult
from engine.wording import counted
from tui.keys import key_of
from tui.panes.parts import broken_rule, marked_answer
from tui.services.review import ReviewRow
from tui.widgets.lines import ACCENT, BAD, DIM, GOOD, STRONG, WARN, justify, shorten, wrap

_SIGNS = {"same": "  ", "removed": "- ", "added": "+ ", "gap": "  "}
_HEAD_LINES = 2


@dataclass(frozen=True, slots=True)
class DrawnAnswer:
    """The lines, and the scroll position of the answer in them."""

    lines: list[Content]
    scroll: int


def draw_answer(
    row: ReviewRow, rules: Mapping[int, str], width: int, height: int, *, scroll: int, comparing: bool
) -> DrawnAnswer:
    """Draw the question, the answer and the rule results in `height` lines.

    If space is short, failed rules come first, then the answer, then passed rules.
    """
    head = [Content.styled(line, STRONG) for line in wrap(row.question, width)[:_HEAD_LINES]]
    compared = comparing and row.answer != row.generated
    body: Sequence[Content] = (
        _compared(row.generated, row.answer, width) if compared else marked_answer(row.answer, row.checks).wrap(width)
    )
    room = height - len(head) - 3  # minus a blank line, the one under the answer, and the last
    findings = _findings(row.checks, rules, width, room, len(body))
    room = max(room - len(findings), 2)
    scroll, between = 0 if len(body) <= room else scroll, Content("")
    if len(body) > room:
        scroll = max(0, min(scroll, len(body) - room))
        below = len(body) - room - scroll
        words = "  ".join(
            [f"{counted(scroll, 'line')} above"] * (scroll > 0)
            + [f"{counted(below, 'line')} below"] * (below > 0)
            + [key_of("curate.answer_down", "curate.answer_up", "curate.whole")]
        )
        between = Content.styled(f"… {words}", DIM)
        body = body[scroll : scroll + room]
    why = justify(_why(row, width, compared=compared), Content.styled(_attempt(row), ACCENT), width)
    return DrawnAnswer([*head, Content(""), *body, between, *findings, why], scroll)


def _findings(
    checks: Sequence[CheckResult], rules: Mapping[int, str], width: int, room: int, answer_lines: int
) -> list[Content]:
    """One line per rule, failed ones first. Failed rules get up to half the space, passed ones what is left."""
    ordered = sorted(checks, key=lambda check: (check.passed, check.rule_id))
    broken = sum(not check.passed for check in ordered)
    lines = max(room - answer_lines, min(broken + 1, max(room // 2, 1)))
    shown = len(ordered) if len(ordered) <= lines else lines - 1  # the last one counts the others
    findings = [
        Content.assemble(
            ("✓ " if check.passed else "✗ ", GOOD if check.passed else BAD),
            shorten(_found(check, rules.get(check.rule_id, "")), width - 2),
        )
        for check in ordered[:shown]
    ]
    if hidden := len(ordered) - shown:
        others = (f"{broken - shown} failed", BAD) if broken > shown else ("passed", DIM)
        findings.append(Content.assemble(f"  and {hidden} more, " if shown else f"{counted(hidden, 'rule')} ", others))
    return findings


def _found(check: CheckResult, text: str) -> str:
    """The text of a passed rule and what was found; for a failed one, what was found first."""
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
        words += f"   edited; {key_of('curate.compare')} shows {'only the answer' if compared else 'what changed'}"
    flag = "" if row.note is None else f"⚑ {row.note}   " if row.note else "⚑ flagged   "
    room = max(width - 24 if len(row.attempts) > 1 else width, 20)
    flag = f"{shorten(flag, room // 2)}   " if flag else ""
    return Content.assemble((flag, WARN), (shorten(words, room - len(flag)), DIM))


@lru_cache(8)  # the answer is drawn again on every key and every second; comparing a long one takes 50 ms
def _compared(generated: str, answer: str, width: int) -> tuple[Content, ...]:
    """The generated answer compared with the current one: deletions struck and dim, additions underlined."""
    lines: list[Content] = []
    for line in compare_texts(clean_text(generated), clean_text(answer)):
        first, *rest = _pieces(line).wrap(width - 2) or [Content("")]
        style = {"removed": BAD, "added": GOOD}.get(line.kind, DIM)
        lines += [Content.assemble((_SIGNS[line.kind], style), first), *(Content.assemble("  ", more) for more in rest)]
    return tuple(lines)


def _pieces(line: ComparedLine) -> Content:
    style = {"removed": f"{DIM} strike", "added": f"{STRONG} underline"}.get(line.kind, "")
    plain = DIM if line.kind == "removed" else ""
    return Content.assemble(*((piece.text, style if piece.changed else plain) for piece in line.pieces))
