"""The held-out tokens at which the student is farthest from the prompted model, with the rules affected. Pure."""

from collections.abc import Iterator, Sequence

from textual.content import Content

from engine.evaluation.held_out import rules_text
from engine.records.evaluation import HeldOutToken
from tui.keys import key_of
from tui.panes.tokens import Differing, TokenColumns
from tui.widgets.lines import ACCENT, DIM, justify


def held_out_tokens(tokens: Sequence[HeldOutToken], width: int) -> list[Content]:
    """Each token after the prompted answer up to it, and below it the rules that it concerns."""
    columns = TokenColumns(width)
    return [
        justify(
            Content.styled("differs most from the prompted model", DIM),
            Content.assemble((key_of("evaluation.differing"), ACCENT), (" questions", DIM)),
            width,
        ),
        columns.heading("question", "prompted", "student"),
        *(line for token in tokens for line in _lines(token, columns)),
    ]


def _lines(token: HeldOutToken, columns: TokenColumns) -> Iterator[Content]:
    yield columns.line(
        Differing(token.kl, str(token.question_id), token.before, token.token, token.prompted, token.arm)
    )
    if rules := rules_text(token):
        yield columns.under(rules)
