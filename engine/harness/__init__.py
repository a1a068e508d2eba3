"""Public tasks: what a release can do beside its prompt, measured by lm-evaluation-harness in a process of its own."""
