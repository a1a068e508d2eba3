"""Curation: decisions about examples, and the dataset that is frozen from the accepted ones."""
