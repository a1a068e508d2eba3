"""What the user can set, and what the program remembers by itself. Pure; knows no file and no terminal.

A field that is unknown or of the wrong type is reported, and its default is used: a mistake never keeps the program
from starting.
"""

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, cast, get_args

from engine.errors import UsageError

Bell = Literal["off", "blur", "always"]
BELLS: tuple[Bell, ...] = get_args(Bell)
_FIELDS = ("theme", "mouse", "bell", "slow", "ascii", "keys")
_UNREAD = "Cannot read the settings."
_UNKNOWN = "Unknown setting."
_WRONG = "Invalid setting."


@dataclass(frozen=True, slots=True)
class Settings:
    """`settings.toml`, field by field."""

    theme: str = ""  # empty: the one that suits the terminal
    mouse: bool = True
    bell: Bell = "blur"  # when long work ends: never, while the terminal is unfocused, or always
    slow: bool = False  # at most two frames per second, for a slow connection
    ascii: bool | None = None  # None: as the terminal supports
    keys: Mapping[str, str] = field(default_factory=dict)  # binding id → keys, separated by commas


_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was chosen in the program itself. Unlike the settings, it is written by the program, not by the user."""

    theme: str = ""
    instead_of: str = ""  # the theme in the settings when another was chosen; a change there takes effect again
    rail_width: int = 0  # in cells; 0: the default width
    maximised: bool = False  # whether the pane fills the whole screen
    shares: Mapping[str, int] = field(default_factory=dict)  # divider → share of the part before it, in per cent
    panes: Mapping[str, str] = field(default_factory=dict)  # project folder → the pane shown last

    def theme_over(self, settings: Settings) -> str:
        """The theme in effect; empty if neither names one."""
        return self.theme if self.theme and self.instead_of == settings.theme else settings.theme


def parse_settings(text: str, source: str) -> tuple[Settings, tuple[UsageError, ...]]:
    """Return the settings in a TOML text, and what is wrong with it. `source` names the file in errors."""
    try:
        document = cast("dict[str, object]", tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # a number with too many digits raises a plain ValueError
        # The parser's message ends with the line and column.
        wrong = UsageError(_UNREAD, f"{source}: {error}.", "Fix the file; until then the defaults are used.")
        return _DEFAULTS, (wrong,)
    errors = [
        UsageError(_UNKNOWN, f"{source}: {name}.", did_you_mean(name, _FIELDS))
        for name in document
        if name not in _FIELDS
    ]

    def truth(name: str) -> bool | None:
        value = document.get(name)
        if value is None or isinstance(value, bool):
            return value
        errors.append(UsageError(_WRONG, f"{source}: {name} must be true or false.", "The default is used."))
        return None

    def words(name: str, allowed: tuple[str, ...] = ()) -> str:
        value = document.get(name)
        if isinstance(value, str) and (not allowed or value in allowed):
            return value
        if value is not None:
            kinds = f"one of {', '.join(allowed)}" if allowed else "a name in quotes"
            errors.append(UsageError(_WRONG, f"{source}: {name} must be {kinds}.", "The default is used."))
        return ""

    mouse = truth("mouse")
    settings = Settings(
        theme=words("theme"),
        mouse=mouse is not False,
        bell=cast("Bell", words("bell", BELLS) or _DEFAULTS.bell),
        slow=truth("slow") is True,
        ascii=truth("ascii"),
        keys=_keys(document.get("keys", {}), source, errors),
    )
    return settings, tuple(errors)


def did_you_mean(word: str, known: Collection[str], otherwise: str = "") -> str:
    """Return a sentence that suggests the nearest known word; if none is near, `otherwise` or a list of all."""
    near = get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]}?" if near else otherwise or f"Known names: {', '.join(known)}."


def parse_remembered(text: str) -> Remembered:
    """Parse what was remembered. The file is the program's own, so whatever cannot be read is dropped."""
    try:
        document = cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return Remembered()
    if not isinstance(document, dict):
        return Remembered()
    found = cast("dict[str, object]", document)
    width, panes, shares = found.get("rail_width"), found.get("panes"), found.get("shares")
    return Remembered(
        theme=_text(found.get("theme")),
        instead_of=_text(found.get("instead_of")),
        rail_width=width if isinstance(width, int) else 0,
        maximised=found.get("maximised") is True,
        shares={str(name): share for name, share in shares.items() if isinstance(share, int)}
        if isinstance(shares, dict)
        else {},
        panes={str(folder): str(pane) for folder, pane in panes.items()} if isinstance(panes, dict) else {},
    )


def remembered_text(remembered: Remembered) -> str:
    """Return the text that `parse_remembered` reads."""
    fields = {
        "theme": remembered.theme,
        "instead_of": remembered.instead_of,
        "rail_width": remembered.rail_width,
        "maximised": remembered.maximised,
        "shares": dict(remembered.shares),
        "panes": dict(remembered.panes),
    }
    return json.dumps(fields, indent=1)  # escaped, because a folder's name may not be UTF-8


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _keys(table: object, source: str, errors: list[UsageError]) -> dict[str, str]:
    """Read the keys: `workspace.pause = "P"` is a nested table in TOML, `"workspace.pause" = "P"` is not."""
    if not isinstance(table, dict):
        errors.append(UsageError(_WRONG, f"{source}: keys must be a table.", 'Use [keys], then place.action = "key".'))
        return {}
    found: dict[str, str] = {}
    for name, value in cast("dict[str, object]", table).items():
        inner = cast("dict[str, object]", value) if isinstance(value, dict) else {"": value}
        for action, keys in inner.items():
            full = f"{name}.{action}" if action else name
            if isinstance(keys, str):
                found[full] = keys
            else:
                errors.append(UsageError(_WRONG, f"{source}: {full} must be keys in quotes.", 'Such as "p" or "p,f5".'))
    return found
