"""The questions pane: what users would send."""
