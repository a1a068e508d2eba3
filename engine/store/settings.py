"""What a project keeps about itself: its settings, and how long its stages took."""

from engine.records.options import ProjectSettings
from engine.store.connection import Connection
from engine.store.words_json import decode, encode


class SettingsTable:
    """The settings and timings of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self) -> ProjectSettings:
        """The settings, or their defaults before any were written."""
        value = self._connection.value("SELECT value FROM settings WHERE name = 'project'")
        return decode(ProjectSettings, value) if isinstance(value, str) else ProjectSettings()

    def write(self, settings: ProjectSettings) -> None:
        """Keep `settings` in the place of what was there."""
        self._connection.write(
            "INSERT INTO settings VALUES ('project', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (encode(settings),),
        )

    def add_timing(self, stage: str, seconds: float) -> None:
        """Keep how long `stage` (questions, generate, curate, train, evaluate) took; the last value stays."""
        self._connection.write(
            "INSERT INTO timings VALUES (?, ?) ON CONFLICT (stage) DO UPDATE SET seconds = excluded.seconds",
            (stage, seconds),
        )

    def timings(self) -> dict[str, float]:
        """Seconds by stage, of the stages that were timed."""
        return {row[0]: row[1] for row in self._connection.rows("SELECT stage, seconds FROM timings ORDER BY stage")}
