"""The proof: what each arm scores on the held-out questions, with intervals, and the report that others read."""
