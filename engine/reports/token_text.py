"""How a report shows tokens and the text before them, the same in every section. Pure."""

_BEFORE = 60  # characters


def token_word(token: str) -> str:
    """The token in visible form: white space, and the token that ends the answer, get a name."""
    return token.strip() or ("\u2039space\u203a" if token else "\u2039end\u203a")


def end_of(text: str) -> str:
    """Foreign text on one line; the end is kept if it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= _BEFORE else f"\u2026{line[1 - _BEFORE :]}"
