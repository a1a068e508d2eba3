"""Handles the keys of a field in the order in which they arrive. Knows nothing of what they do.

Textual (8.2.8) inserts a letter at once, but looks up any other key only after it has bubbled through the widgets
around the field: in a burst, as over a slow line, a later letter would be handled before an earlier key.
"""

from textual.events import Key
from textual.widget import Widget


async def do_in_order(field: Widget, event: Key) -> None:
    """Run what the field's own bindings do for this key, the user's own included. To be called first on each key."""
    if event.is_printable:
        return
    bound = field.screen.active_bindings.get(event.key)
    if bound is not None and bound.node is field and await field.app.run_action(bound.binding.action, field):
        event.stop()
        event.prevent_default()
