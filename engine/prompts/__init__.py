"""Prompts: how a chat prefix is read from files, written to them, and compared."""
