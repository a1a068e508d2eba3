"""The user's editor on a temporary file: $VISUAL, $EDITOR, or what the machine has."""

import click

from engine.errors import UsageError


def edit_text(text: str) -> str | None:
    """The saved text; None if it was left unchanged. Raises `UsageError` if the editor fails.

    Call it while the terminal belongs to the editor.
    """
    try:
        saved = click.edit(text, extension=".md", require_save=True)
    except click.ClickException as error:
        raise UsageError("The editor failed.", f"{error.format_message()}", "The text is unchanged.") from error
    except UnicodeError as error:
        raise UsageError("The editor failed.", "The saved text is not UTF-8.", "The text is unchanged.") from error
    except ValueError as error:  # an unclosed quote in the command
        raise UsageError("The editor failed.", f"$VISUAL or $EDITOR: {error}.", "The text is unchanged.") from error
    return None if saved is None or saved.strip() == text.strip() else saved.removesuffix("\n")
