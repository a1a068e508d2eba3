"""Lends the terminal to a person's own editor, and takes it back, whatever the editor did."""

from textual.app import App, SuspendNotSupported

from engine.clean import clean_text
from engine.errors import UsageError
from tui.services.editor import edit_text


def edit(app: App[int], text: str, instead: str) -> str | None:
    """The text as it was saved; None where the old one stands: a toast says why, where the person did not choose it.

    `instead`: what can be done where the terminal cannot be lent.
    """
    saved, failed = None, None
    try:
        with app.suspend():
            try:
                saved = edit_text(text)
            except UsageError as error:  # what leaves this block leaves the terminal with the editor: Textual's way
                failed = error
    except SuspendNotSupported:
        app.notify(f"This terminal cannot be lent to an editor; {instead}.", severity="warning")
    if failed is not None:
        said = clean_text(f"{failed.message}\n{failed.next}")
        app.notify(said, title=failed.title, severity="error")
    return saved
