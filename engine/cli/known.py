"""Whether what an option names exists, and what was probably meant if it does not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.project import Project


def suggested(typed: str, known: Sequence[str]) -> str:
    """Return a question that names the nearest of `known`; empty if none is near."""
    from difflib import get_close_matches  # only where a name is wrong

    near = [name for name in known if name.startswith(typed)] or get_close_matches(typed, known, n=1)
    return f"Did you mean {near[0]}?" if near else ""


def require_rule(project: "Project", number: int | None) -> None:
    """Raise `NotFoundError` if a rule is named that the project does not have."""
    from engine.errors import NotFoundError

    if number is not None and all(rule.id != number for rule in project.rules.all()):
        raise NotFoundError(f"There is no rule {number}.", "", "See `distill-tui rules list`.")


def require_topic(project: "Project", topic: str | None) -> None:
    """Raise `NotFoundError` if a topic is named that no question has."""
    from engine.errors import NotFoundError

    known = [name for name, _count in project.questions.topics() if name]
    if topic and topic not in known:
        advice = suggested(topic, known) or "See `distill-tui questions list`."
        raise NotFoundError(f"There is no topic “{topic}”.", "", advice)
