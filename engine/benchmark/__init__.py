"""The benchmark: prompts of four lengths with checkable rules, run with any base, and the table of results."""
