"""Completes a path while it is typed, as far as it is unambiguous; says which folders exist.

Reads only names, on a thread.
"""

import asyncio
import os
from collections.abc import Sequence
from itertools import islice, takewhile
from pathlib import Path

from textual.suggester import Suggester

from engine.errors import UsageError
from engine.paths import expand

_MOST_NAMES = 10_000  # in a folder; beyond that nothing is completed


class PathSuggester(Suggester):
    """Suggests how a path continues; a folder ends with a slash."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)  # folders change

    async def get_suggestion(self, value: str) -> str | None:
        """Return the longer path, or None."""
        return await asyncio.to_thread(completed, value)


def completed(path: str) -> str | None:
    """Extend `path` by the letters shared by all names that start like its last part; None if there are none."""
    begin, found = path.rpartition("/")[2], names_like(path)
    longer = _in_common(min(found), max(found)) if found else ""
    return path.removesuffix(begin) + longer if len(longer) > len(begin) else None


def names_like(path: str) -> tuple[str, ...]:
    """The names in its folder that start like the last part of `path`; a folder ends with a slash.

    Skips names that are not valid text, and hidden ones unless the dot was typed. Empty if the folder cannot be read
    or has too many.
    """
    folder, slash, begin = path.rpartition("/")
    if not begin:
        return ()
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
        return ()
    return tuple(found) if whole else ()


def _in_common(first: str, last: str) -> str:
    """The common prefix of two names, shared by all names sorted between them."""
    return "".join(letter for letter, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))


async def those_there(folders: Sequence[Path]) -> tuple[Path, ...]:
    """Those of these folders that still exist."""
    return await asyncio.to_thread(lambda: tuple(folder for folder in folders if folder.is_dir()))
