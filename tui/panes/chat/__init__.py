"""The chat pane: two arms side by side, blind if wanted, and votes."""
