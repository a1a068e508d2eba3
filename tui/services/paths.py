"""Completes a path while it is typed, as far as what lies there leaves no choice; says which folders are there.

Reads names alone, on a thread.
"""

import asyncio
import os
from collections.abc import Sequence
from itertools import islice, takewhile
from pathlib import Path

from textual.suggester import Suggester

from engine.errors import UsageError
from engine.paths import expand

_MOST_NAMES = 10_000  # of a folder; beyond, nothing is completed


class PathSuggester(Suggester):
    """What a path may go on with; a folder ends with its slash."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)  # folders change

    async def get_suggestion(self, value: str) -> str | None:
        """The longer path, or None."""
        return await asyncio.to_thread(completed, value)


def completed(path: str) -> str | None:
    """`path` with the letters that all names which begin like its last part have in common; None for no more of them.

    Names with letters that are no text stay out, and hidden ones until their point is typed.
    """
    folder, slash, begin = path.rpartition("/")
    if not begin:
        return None
    try:
        place = expand(folder + slash) if slash else Path()
        with os.scandir(place) as entries:
            found = [
                entry.name + ("/" if entry.is_dir() else "")
                for entry in islice(entries, _MOST_NAMES)
                if entry.name.startswith(begin) and entry.name.isprintable()
            ]
            whole = next(entries, None) is None
    except (OSError, UsageError, ValueError):
        return None
    longer = _in_common(min(found), max(found)) if whole and found else ""
    return f"{folder}{slash}{longer}" if len(longer) > len(begin) else None


def _in_common(first: str, last: str) -> str:
    """The letters that two names begin with, and with them all names between the two in their order."""
    return "".join(letter for letter, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


async def those_there(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Those of these folders that are still there."""
    return await asyncio.to_thread(lambda: tuple(folder for folder in folders if folder.is_dir()))
