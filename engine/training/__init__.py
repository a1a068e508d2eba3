"""Training: losses over cached teacher log-probabilities, a short loop, checkpoints that survive a kill."""
