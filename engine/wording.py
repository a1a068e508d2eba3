"""Numbers in sentences, the same on the command line and on the screen. Standard library only."""


def counted(number: int, thing: str) -> str:
    """A number with its noun: `1 rule`, `1,200 questions`."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")
