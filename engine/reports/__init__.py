"""The report: one document about what a project proved, rendered as text, Markdown and HTML."""
