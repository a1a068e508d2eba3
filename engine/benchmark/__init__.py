"""The benchmark: prompts of four lengths with checkable rules, run with any base, and the table that comes of it."""
