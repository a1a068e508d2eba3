"""Themes as files: turns the text of a `themes/*.yaml` file into a Textual theme. Every theme is such a file.

Pure. A theme is named after its file. With `ansi: true` its colours are the terminal's own sixteen, by Textual's names.
"""

import re
from functools import cache
from typing import cast

import yaml
from textual.color import Color, ColorParseError
from textual.theme import Theme

from engine.errors import UsageError
from tui.settings import did_you_mean

_COLOURS = (
    "primary", "secondary", "accent", "foreground", "background", "surface", "panel", "success", "warning", "error",
)  # fmt: skip
_NEEDED = ("primary", "foreground", "background")
_FLAGS = ("dark", "ansi")
# Textual's style sheets use these, but its generator leaves them out of themes with the terminal's own colours.
_ANSI_VARIABLES = {"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"}
_ONE_STYLE = r"(?:not )?(?:bold|b|dim|italic|i|underline|u|reverse|r|strike|s)"
_STYLE = re.compile(rf"none|{_ONE_STYLE}(?: {_ONE_STYLE})*")
_FILLED_IN = re.compile(r"initial|auto(?: \d{1,2}(?:\.\d+)?%| 100%)?")
_UNREAD = "Cannot read a theme."


def parse_theme(text: str, source: str) -> Theme:
    """Parse a theme from YAML. Raises `UsageError` with the file and, if known, the line."""
    node = _node(text, source)
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(_UNREAD, f"{source} has no fields.", "Write one field per line.")
    fields: dict[str, str] = {}
    variables: dict[str, str] = {}
    for key, value in _pairs(node, source):
        line = key.start_mark.line + 1
        if key.value == "variables" and isinstance(value, yaml.MappingNode):
            for variable, found in _pairs(value, source):
                where = f"{source}, line {variable.start_mark.line + 1}"
                variables[variable.value] = _checked_variable(variable.value, str(found.value), where)
        elif key.value not in (*_COLOURS, *_FLAGS) or not isinstance(value, yaml.ScalarNode):
            raise UsageError(
                _UNREAD,
                f"{source}, line {line}: unknown field {key.value}.",
                f"Known fields: {', '.join((*_FLAGS, *_COLOURS))}, variables.",
            )
        else:
            fields[key.value] = _checked(key.value, value, f"{source}, line {line}")
    if missing := [name for name in _NEEDED if name not in fields]:
        raise UsageError(_UNREAD, f"{source}: missing {', '.join(missing)}.", "Every theme needs these fields.")
    ansi = fields.get("ansi") == "true"
    theme = Theme(
        name=source.removesuffix(".yaml"),
        primary=fields["primary"],
        dark=fields.get("dark") != "false",
        ansi=ansi,
        variables={**(_ANSI_VARIABLES if ansi else {}), **variables},
    )
    for name in _COLOURS:
        if name in fields:
            setattr(theme, name, fields[name])
    return theme


def _node(text: str, source: str) -> yaml.Node | None:
    """Parse the document into YAML nodes, which know their lines."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(_UNREAD, f"{source}, line {line}: {error.problem}.", "Fix the file.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(_UNREAD, f"{source}: {error}.", "Fix the file.") from None


def _pairs(node: yaml.MappingNode, source: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    pairs: list[tuple[yaml.ScalarNode, yaml.Node]] = []
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        where = f"{source}, line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError(_UNREAD, f"{where}: this is not a field name.", "Write one field per line.")
        if any(key.value == known.value for known, _ in pairs):
            raise UsageError(_UNREAD, f"{where}: duplicate field {key.value}.", "Remove one of the two.")
        pairs.append((key, value))
    return pairs


def _checked_variable(name: str, value: str, where: str) -> str:
    """Check a variable of Textual's style sheets: unknown ones would do nothing, invalid ones would crash the app."""
    known = _generated()
    if name not in known:
        raise UsageError(_UNREAD, f"{where}: unknown variable {name}.", did_you_mean(name, known, "Remove it."))
    if name.endswith("-style") or "-style-" in name:
        fits = _STYLE.fullmatch(value) is not None
    elif value in ("initial", "auto") or value.startswith("auto "):
        # Valid for text colours, and for variables where Textual itself uses them; in a border they crash the app.
        word = value.partition(" ")[0]
        fits = _FILLED_IN.fullmatch(value) is not None and (
            known[name].partition(" ")[0] == word or (word == "auto" and name.endswith("-foreground"))
        )
    else:
        fits = value == "transparent" or _is_colour(value)
    if not fits:
        raise UsageError(
            _UNREAD, f"{where}: invalid value for {name}: {value}.", f"Textual's default is {known[name]}."
        )
    return value


@cache
def _generated() -> dict[str, str]:
    """The variables that a theme may set, each with a valid value."""
    plain, ansi = (Theme("any", "ansi_blue", ansi=ansi).to_color_system().generate() for ansi in (False, True))
    return {**ansi, **plain}


def _is_colour(value: str) -> bool:
    try:
        Color.parse(value)
    except ColorParseError:
        return False
    return True


def _checked(name: str, node: yaml.ScalarNode, where: str) -> str:
    """Return the field's value if it is valid."""
    value = str(node.value)
    if name in _FLAGS:
        if value not in ("true", "false"):
            raise UsageError(_UNREAD, f"{where}: {name} must be true or false.", "Fix the file.")
        return value
    if not _is_colour(value):
        raise UsageError(_UNREAD, f"{where}: {value} is not a colour.", 'Use the form "#aabbcc".')
    return value
