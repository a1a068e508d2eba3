"""The chat pane: two arms side by side, optionally blind, and votes."""
