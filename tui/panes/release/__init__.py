"""The release pane: what leaves the machine."""
