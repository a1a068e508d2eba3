"""The examples pane: the teacher's answers."""
