"""The time when a fact was stored: one text format for all tables."""

from datetime import UTC, datetime


def now_text() -> str:
    """Return the current UTC time as ISO 8601 text with milliseconds. Such texts sort by time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
