"""The proof: the scores of each arm on the held-out questions, with intervals, and the report as JSON."""
