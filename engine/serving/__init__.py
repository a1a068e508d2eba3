"""The OpenAI-compatible local server: every arm of a project over one base in memory, behind A/B chat and `serve`."""
