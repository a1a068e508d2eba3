"""Updates of a prompt: what a new version changes, what can be kept of the old one, and what has to be done anew."""
