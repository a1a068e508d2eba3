"""Questions: their import and synthesis, near-duplicates (twins), and splits."""
