"""The prompt pane: what is distilled, and the rules that it makes."""
