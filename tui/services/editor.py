"""A person's own editor on a temporary file: $VISUAL, $EDITOR, or what the machine has."""

import click

from engine.errors import UsageError


def edit_text(text: str) -> str | None:
    """The text as it was saved; None where it was left as it is. Raises `UsageError` where the editor failed.

    To be called while the terminal is the editor's.
    """
    try:
        saved = click.edit(text, extension=".md", require_save=True)
    except click.ClickException as error:
        raise UsageError("The editor failed.", f"{error.format_message()}", "The old text stands.") from error
    except UnicodeError as error:
        raise UsageError("The editor failed.", "The text is no UTF-8.", "The old text stands.") from error
    except ValueError as error:  # quotes in the command that are opened and never closed
        raise UsageError("The editor failed.", f"$VISUAL or $EDITOR: {error}.", "The old text stands.") from error
    return None if saved is None or saved.strip() == text.strip() else saved.removesuffix("\n")
