"""When facts were stored: one text form for all tables."""

from datetime import UTC, datetime


def now_text() -> str:
    """This moment in UTC as ISO 8601 text with milliseconds; such texts sort by time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
