"""The evaluation pane: the proof."""
