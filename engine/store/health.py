"""What is to be said about the SQLite library that this machine brings."""

import sqlite3

# Before 3.51.3 a writer that starts the log again while a checkpoint begins can corrupt the database (wal-reset bug).
_SAFE_TO_CHECKPOINT = (3, 51, 3)


def library() -> str:
    """The library's version, and why an older one is safe here."""
    found = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= _SAFE_TO_CHECKPOINT:
        return found
    return f"{found}; it must not checkpoint while another process writes: here it only does so under the write lock"
