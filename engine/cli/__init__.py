"""The command line: one module per command, text or JSON out. Knows nothing of Textual or of model libraries."""
