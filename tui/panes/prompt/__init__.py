"""The prompt pane: the prompt to distil, and its rules."""
