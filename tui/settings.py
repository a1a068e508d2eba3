"""What a person may set, and what the program remembers of its own accord. Pure; knows no file and no terminal.

A field that is unknown or of the wrong kind is named, and its default stands: a slip never keeps the program shut.
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
_UNREAD = "The settings cannot be read."
_UNKNOWN = "A setting is not known."
_WRONG = "A setting does not fit."


@dataclass(frozen=True, slots=True)
class Settings:
    """`settings.toml`, field by field."""

    theme: str = ""  # nothing: the one that suits the terminal
    mouse: bool = True
    bell: Bell = "blur"  # when long work ends: never, while the terminal is not looked at, or each time
    slow: bool = False  # two flushes a second at most, for a slow line
    ascii: bool | None = None  # None: as the terminal can
    keys: Mapping[str, str] = field(default_factory=dict)  # binding id → keys, by comma


_DEFAULTS = Settings()


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was chosen in the program itself. Other than the settings it is written by the program, and by no person."""

    theme: str = ""
    instead_of: str = ""  # the theme of the settings when another was chosen; once they change, they hold again
    rail_width: int = 0  # cells; 0: its own width
    maximised: bool = False  # the pane has the whole screen
    shares: Mapping[str, int] = field(default_factory=dict)  # divider → per cent of the part before it
    panes: Mapping[str, str] = field(default_factory=dict)  # project folder → the pane that was looked at last

    def theme_over(self, settings: Settings) -> str:
        """The theme that holds; nothing where neither names one."""
        return self.theme if self.theme and self.instead_of == settings.theme else settings.theme


def parse_settings(text: str, source: str) -> tuple[Settings, tuple[UsageError, ...]]:
    """The settings in a TOML text, and what is wrong with it. `source` is how the file is named to a person."""
    try:
        document = cast("dict[str, object]", tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # a number of too many digits is no error of the format's own
        # The reader's own words end in the line and the column.
        wrong = UsageError(_UNREAD, f"{source}: {error}.", "Mend the file; until then the defaults hold.")
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
        errors.append(UsageError(_WRONG, f"{source}: {name} is true or false.", "Its default holds."))
        return None

    def words(name: str, allowed: tuple[str, ...] = ()) -> str:
        value = document.get(name)
        if isinstance(value, str) and (not allowed or value in allowed):
            return value
        if value is not None:
            kinds = f"one of {', '.join(allowed)}" if allowed else "a name in quotes"
            errors.append(UsageError(_WRONG, f"{source}: {name} is {kinds}.", "Its default holds."))
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
    """A sentence that offers the nearest known word; where none is near, `otherwise` or all of them."""
    near = get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]}?" if near else otherwise or f"There are: {', '.join(known)}."


def parse_remembered(text: str) -> Remembered:
    """What was remembered. The file is the program's own: what cannot be read there is forgotten."""
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
    """What `parse_remembered` reads."""
    fields = {
        "theme": remembered.theme,
        "instead_of": remembered.instead_of,
        "rail_width": remembered.rail_width,
        "maximised": remembered.maximised,
        "shares": dict(remembered.shares),
        "panes": dict(remembered.panes),
    }
    return json.dumps(fields, indent=1)  # escaped: a folder's name need not be UTF-8


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _keys(table: object, source: str, errors: list[UsageError]) -> dict[str, str]:
    """`workspace.pause = "P"` is a table in a table in TOML, `"workspace.pause" = "P"` is not; both are meant."""
    if not isinstance(table, dict):
        errors.append(UsageError(_WRONG, f"{source}: keys is a table.", 'Write [keys], then place.action = "key".'))
        return {}
    found: dict[str, str] = {}
    for name, value in cast("dict[str, object]", table).items():
        inner = cast("dict[str, object]", value) if isinstance(value, dict) else {"": value}
        for action, keys in inner.items():
            full = f"{name}.{action}" if action else name
            if isinstance(keys, str):
                found[full] = keys
            else:
                errors.append(UsageError(_WRONG, f"{source}: {full} is keys in quotes.", 'As in "p" or "p,f5".'))
    return found
