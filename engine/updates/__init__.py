"""Prompt updates: what a new version changes, what can be kept from the old one, and what must be redone."""
