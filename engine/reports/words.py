"""How a report tells tokens and the text before them: the same in every section. Pure."""

_BEFORE = 60  # characters


def token_word(token: str) -> str:
    """A token so that it is seen: one that is nothing but space, or ends the answer, has a name."""
    return token.strip() or ("\u2039space\u203a" if token else "\u2039end\u203a")


def end_of(text: str) -> str:
    """Foreign text on one line that keeps its end where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= _BEFORE else f"\u2026{line[1 - _BEFORE :]}"
