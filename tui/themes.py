"""Themes as files: reads `themes/*.yaml` and turns each into Textual's own theme. Every theme is such a file.

A file that cannot be read is an error with its name and line; the others are still offered.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml
from textual.theme import Theme

from engine.errors import UsageError

_COLOURS = (
    "primary", "secondary", "accent", "foreground", "background", "surface", "panel", "success", "warning", "error",
)  # fmt: skip
_NEEDED = ("name", "primary", "foreground", "background")
DEFAULT_THEME = "dusk"


def themes_folder() -> Path:
    """Where the themes lie: beside this module in a wheel, beside `tui` in a checkout."""
    installed = Path(__file__).parent / "themes"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "themes"


def load_themes() -> tuple[list[Theme], list[UsageError]]:
    """Every theme that can be read, by file name, and an error for each that cannot."""
    themes: list[Theme] = []
    errors: list[UsageError] = []
    for path in _files():
        try:
            themes.append(parse_theme(path.read_text(encoding="utf-8"), path.name))
        except UsageError as error:
            errors.append(error)
    return themes, errors


def parse_theme(text: str, source: str) -> Theme:
    """A theme from YAML. Raises UsageError with the file, and the line where YAML knows it."""
    try:
        document: object = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(
            "A theme cannot be read.", f"{source}, line {line}: {error.problem}.", "Mend the file."
        ) from None
    if not isinstance(document, dict):
        raise UsageError("A theme cannot be read.", f"{source} holds no fields.", "Write one field a line.")
    fields = {str(key): value for key, value in document.items()}
    unknown = sorted(set(fields) - {*_COLOURS, "name", "dark", "variables"})
    missing = [name for name in _NEEDED if not isinstance(fields.get(name), str)]
    if unknown or missing:
        what = f"unknown: {', '.join(unknown)}" if unknown else f"missing: {', '.join(missing)}"
        raise UsageError("A theme cannot be read.", f"{source}, {what}.", f"Fields: name, dark, {', '.join(_COLOURS)}.")
    variables = fields.get("variables")
    colours = {name: str(fields[name]) for name in _COLOURS if name in fields}
    theme = Theme(
        name=str(fields["name"]),
        primary=str(fields["primary"]),
        dark=bool(fields.get("dark", True)),
        variables={str(k): str(v) for k, v in variables.items()} if isinstance(variables, dict) else {},
    )
    for name, colour in colours.items():
        setattr(theme, name, colour)
    return theme


def _files() -> Iterator[Path]:
    return iter(sorted(themes_folder().glob("*.yaml")))
