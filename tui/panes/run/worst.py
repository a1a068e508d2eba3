"""The validation tokens at which student and teacher differ most, a line a token. Pure."""

from rich.cells import cell_len
from textual.content import Content

from engine.clean import clean_line
from engine.jobs.protocol import WorstTokens
from engine.records.run import WorstToken
from tui.widgets.lines import ACCENT, DIM, GOOD, STRONG, WARN, fit, right, shorten, spread

_NATS, _EXAMPLE = 6, 9
_GAP = 2


def worst_tokens(told: WorstTokens, width: int) -> list[Content]:
    """Each token behind the answer up to it, with what the teacher and the student find likeliest there."""
    word = max(8, min(18, width // 6))
    text = width - _NATS - _EXAMPLE - 2 * (word + _GAP) - _GAP
    head = right("nats", _NATS) + right("example", _EXAMPLE) + "  " + fit("the answer, up to the token", text)
    head += "  " + fit("teacher", word) + "  " + fit("student", word)
    return [
        spread(
            Content.styled(f"differs most  step {told.step:,}", DIM),
            Content.assemble(("d", ACCENT), (" answers", DIM)),
            width,
        ),
        Content.styled(shorten(head, width), DIM),
        *(_line(token, text, word) for token in told.tokens),
        Content(""),
    ]


def _line(token: WorstToken, text: int, word: int) -> Content:
    shown = shorten(_word(token.token), text)
    before = _end_of(token.before, text - cell_len(shown))
    example = f"p{token.prompt_index + 1} {token.example_id}" if token.prompt_index else str(token.example_id)
    return Content.assemble(
        right(f"{token.kl:.2f}", _NATS),
        (right(example, _EXAMPLE), DIM),
        "  ",
        (before, DIM),
        (shown, STRONG),
        " " * (text - cell_len(before) - cell_len(shown)),
        "  ",
        (fit(_word(token.teacher), word), GOOD),
        "  ",
        (fit(_word(token.student), word), WARN),
    )


def _word(token: str) -> str:
    """A token so that it is seen: one that is nothing but space, or ends the answer, has a name."""
    return token.strip() or ("‹space›" if token else "‹end›")


def _end_of(text: str, width: int) -> str:
    """Foreign text on one line that keeps its end where it is too long; a space stands after it."""
    line = f"{' '.join(clean_line(text).split())} ".lstrip()
    while cell_len(line) > max(width, 0):
        line = f"…{line[2:]}" if len(line) > 2 else ""
    return line
