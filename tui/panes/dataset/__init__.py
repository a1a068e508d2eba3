"""The dataset pane: what is frozen for training."""
