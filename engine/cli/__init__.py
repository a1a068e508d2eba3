"""The command line: one module a command, text or JSON out. Knows nothing of Textual or of model libraries."""
