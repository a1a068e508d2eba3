"""Rules: how answers are checked against the prompt's requirements, and how rules are read and written."""
