"""Keeps the keys of a field in the order in which they come. Knows nothing of what they do.

Textual (8.2.8) puts a letter into the field at once, and looks for what any other key does only when it has gone up
through all that is around: of a burst, as a slow line brings it, what was typed last came first.
"""

from textual.events import Key
from textual.widget import Widget


async def do_in_order(field: Widget, event: Key) -> None:
    """To be the first that a field does with a key: what its own keys do, a person's own among them, is done here."""
    if event.is_printable:
        return
    bound = field.screen.active_bindings.get(event.key)
    if bound is not None and bound.node is field and await field.app.run_action(bound.binding.action, field):
        event.stop()
        event.prevent_default()
