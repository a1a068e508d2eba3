"""Questions: where they come from, which are twins, and which split they belong to."""
