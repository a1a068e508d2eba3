"""What a project keeps about itself: its settings, the figures of its cost, how long its stages took, its last talk."""

from engine.records.cost import CostInputs, CostOutcome
from engine.records.options import ProjectSettings
from engine.records.run import Calibration
from engine.records.talk import Talk
from engine.store.connection import Connection
from engine.store.words_json import Word, decode, encode


class SettingsTable:
    """The settings, cost figures and timings of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self) -> ProjectSettings:
        """The settings, or their defaults before any were written."""
        return self._word("project", ProjectSettings) or ProjectSettings()

    def write(self, settings: ProjectSettings) -> None:
        """Keep `settings` in the place of what was there."""
        self._keep("project", encode(settings))

    def cost_inputs(self) -> CostInputs:
        """What a person said about money; nothing before they did."""
        return self._word("cost_inputs", CostInputs) or CostInputs()

    def cost_outcome(self) -> CostOutcome | None:
        """What came of it at last, or None."""
        return self._word("cost_outcome", CostOutcome)

    def write_cost(self, inputs: CostInputs, outcome: CostOutcome | None) -> None:
        """Keep both in the place of what was there; an outcome of None is none."""
        with self._connection.transaction():
            self._keep("cost_inputs", encode(inputs))
            if outcome is not None:
                self._keep("cost_outcome", encode(outcome))
            else:
                self._connection.write("DELETE FROM settings WHERE name = 'cost_outcome'")

    def calibration(self) -> Calibration | None:
        """What was measured last before a run, or None."""
        return self._word("calibration", Calibration)

    def keep_calibration(self, calibration: Calibration) -> None:
        """Keep it in the place of what was there."""
        self._keep("calibration", encode(calibration))

    def talk(self) -> Talk | None:
        """What the chat showed last, or None."""
        value = self._value("talk")
        return None if value is None else decode(Talk, value)

    def keep_talk(self, talk: Talk) -> None:
        """Keep it in the place of what was there."""
        self._keep("talk", encode(talk))

    def draft_begun(self) -> int:
        """From which version of the prompt on the draft beside the database was begun; 0: from none."""
        value = self._value("draft_begun") or ""
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0

    def keep_draft_begun(self, version: int) -> None:
        """Keep that version."""
        self._keep("draft_begun", str(version))

    def remind_on(self) -> str:
        """The day, as YYYY-MM-DD, on which the prompt is to be looked at again; empty where none was set."""
        return self._value("remind_on") or ""

    def write_reminder(self, day: str) -> None:
        """Keep that day; empty: none."""
        self._keep("remind_on", day)

    def keep_timing(self, stage: str, seconds: float) -> None:
        """Keep how long `stage` (questions, generate, curate, train, evaluate) took, in the place of what was there."""
        self._connection.write(
            "INSERT INTO timings VALUES (?, ?) ON CONFLICT (stage) DO UPDATE SET seconds = excluded.seconds",
            (stage, seconds),
        )

    def timings(self) -> dict[str, float]:
        """Seconds by stage, of the stages that were timed."""
        return {row[0]: row[1] for row in self._connection.rows("SELECT stage, seconds FROM timings ORDER BY stage")}

    def _word(self, name: str, kind: type[Word]) -> Word | None:
        value = self._value(name)
        return None if value is None else decode(kind, value)

    def _value(self, name: str) -> str | None:
        value = self._connection.value("SELECT value FROM settings WHERE name = ?", (name,))
        return value if isinstance(value, str) else None

    def _keep(self, name: str, value: str) -> None:
        self._connection.write(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )
