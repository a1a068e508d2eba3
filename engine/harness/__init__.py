"""Public tasks: what a release can do besides its prompt, measured by lm-evaluation-harness in a separate process."""
