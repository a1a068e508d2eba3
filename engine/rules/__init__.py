"""Rules: how a demand of the prompt is checked in an answer, and how rules are read and written."""
