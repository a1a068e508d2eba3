"""Facts about the SQLite library of this machine."""

import sqlite3

# Before 3.51.3, a writer that resets the log just as a checkpoint starts can corrupt the database (WAL-reset bug).
_SAFE_TO_CHECKPOINT = (3, 51, 3)


def library() -> str:
    """Return the library's version, and why an older one is safe here."""
    found = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= _SAFE_TO_CHECKPOINT:
        return found
    return f"{found}; it must not checkpoint while another process writes, so checkpoints take the write lock"
