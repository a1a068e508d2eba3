"""The run pane: the training of one adapter."""
