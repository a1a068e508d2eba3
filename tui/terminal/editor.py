"""Hands the terminal to the user's own editor, and takes it back, whatever the editor did."""

from textual.app import App, SuspendNotSupported

from engine.clean import clean_text
from engine.errors import UsageError
from tui.services.editor import edit_text


def edit(app: App[int], text: str, instead: str) -> str | None:
    """Return the saved text; None if nothing was saved. Unless the user chose that, a toast says why.

    `instead`: what the user can do if the terminal cannot be handed over.
    """
    saved, failed = None, None
    try:
        with app.suspend():
            try:
                saved = edit_text(text)
            except UsageError as error:  # an exception that leaves this block would leave the terminal suspended
                failed = error
    except SuspendNotSupported:
        app.notify(f"This terminal cannot be handed to an editor; {instead}.", severity="warning")
    if failed is not None:
        message = clean_text(f"{failed.message}\n{failed.next}")
        app.notify(message, title=failed.title, severity="error")
    return saved
