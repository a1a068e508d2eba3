"""The validation tokens at which student and teacher differ most, one line per token. Pure."""

from textual.content import Content

from engine.jobs.protocol import WorstTokens
from engine.records.run import WorstToken
from tui.keys import key_of
from tui.panes.tokens import Differing, TokenColumns
from tui.widgets.lines import ACCENT, DIM, justify


def worst_tokens(worst: WorstTokens, width: int) -> list[Content]:
    """Each token after the answer up to it, with the likeliest token of the teacher and of the student there."""
    columns = TokenColumns(width)
    return [
        justify(
            Content.styled(f"differs most  step {worst.step:,}", DIM),
            Content.assemble((key_of("run.differing"), ACCENT), (" answers", DIM)),
            width,
        ),
        columns.heading("example", "teacher", "student"),
        *(columns.line(_drawn(token)) for token in worst.tokens),
        Content(""),
    ]


def _drawn(token: WorstToken) -> Differing:
    example = f"p{token.prompt_index + 1} {token.example_id}" if token.prompt_index else str(token.example_id)
    return Differing(token.kl, example, token.before, token.token, token.teacher, token.student)
