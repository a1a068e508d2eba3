"""A project's settings, cost figures, stage timings, last chat, and other single values."""

from engine.records.chat import Chat
from engine.records.cost import CostInputs, CostOutcome
from engine.records.options import ProjectSettings
from engine.records.run import Calibration
from engine.store.connection import Connection
from engine.store.dataclass_json import Word, decode, encode

_CHAT = "talk"  # the name under which earlier versions stored it


class SettingsTable:
    """The settings and other single values of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self) -> ProjectSettings:
        """Return the settings, or the defaults if none are stored."""
        return self._word("project", ProjectSettings) or ProjectSettings()

    def write(self, settings: ProjectSettings) -> None:
        """Store `settings`, replacing the previous ones."""
        self._write_value("project", encode(settings))

    def cost_inputs(self) -> CostInputs:
        """Return the user's cost inputs, or empty ones."""
        return self._word("cost_inputs", CostInputs) or CostInputs()

    def cost_outcome(self) -> CostOutcome | None:
        """Return the outcome of the last cost estimate, or None."""
        return self._word("cost_outcome", CostOutcome)

    def write_cost(self, inputs: CostInputs, outcome: CostOutcome | None) -> None:
        """Store the inputs and the outcome, replacing the previous ones; None removes the outcome."""
        with self._connection.transaction():
            self._write_value("cost_inputs", encode(inputs))
            if outcome is not None:
                self._write_value("cost_outcome", encode(outcome))
            else:
                self._connection.write("DELETE FROM settings WHERE name = 'cost_outcome'")

    def calibration(self) -> Calibration | None:
        """Return the last calibration, or None."""
        return self._word("calibration", Calibration)

    def write_calibration(self, calibration: Calibration) -> None:
        """Store a calibration, replacing the previous one."""
        self._write_value("calibration", encode(calibration))

    def chat(self) -> Chat | None:
        """Return the last chat, or None."""
        return self._word(_CHAT, Chat)

    def write_chat(self, chat: Chat) -> None:
        """Store the chat, replacing the previous one."""
        self._write_value(_CHAT, encode(chat))

    def draft_version(self) -> int:
        """Return the prompt version that the draft started from; 0: none."""
        value = self._value("draft_begun") or ""
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0

    def write_draft_version(self, version: int) -> None:
        """Store the prompt version that the draft started from."""
        self._write_value("draft_begun", str(version))

    def remind_on(self) -> str:
        """Return the day of the reminder to check the prompt, as YYYY-MM-DD, or an empty string."""
        return self._value("remind_on") or ""

    def write_reminder(self, day: str) -> None:
        """Store the day of the reminder; empty: none."""
        self._write_value("remind_on", day)

    def write_timing(self, stage: str, seconds: float) -> None:
        """Store how long `stage` (questions, generate, curate, train, evaluate) took, replacing the previous value."""
        self._connection.write(
            "INSERT INTO timings VALUES (?, ?) ON CONFLICT (stage) DO UPDATE SET seconds = excluded.seconds",
            (stage, seconds),
        )

    def timings(self) -> dict[str, float]:
        """Return the seconds per timed stage."""
        return {row[0]: row[1] for row in self._connection.rows("SELECT stage, seconds FROM timings ORDER BY stage")}

    def _word(self, name: str, kind: type[Word]) -> Word | None:
        value = self._value(name)
        return None if value is None else decode(kind, value)

    def _value(self, name: str) -> str | None:
        value = self._connection.value("SELECT value FROM settings WHERE name = ?", (name,))
        return value if isinstance(value, str) else None

    def _write_value(self, name: str, value: str) -> None:
        self._connection.write(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )
