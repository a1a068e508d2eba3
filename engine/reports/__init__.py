"""The report: one document of what a project proved, drawn as text, Markdown and HTML."""
