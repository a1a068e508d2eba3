"""Runs: trainings with their progress and curve."""

import sqlite3
from itertools import groupby
from operator import itemgetter
from typing import TypedDict, Unpack, cast

from engine.errors import NotFoundError
from engine.records.run import CurvePoint, Estimated, Run, RunState, TrainingConfig
from engine.store.clock import now_text
from engine.store.connection import Connection
from engine.store.dataclass_json import decode, encode, inner_folder
from engine.store.values import Value


class RunChanges(TypedDict, total=False):
    """The fields of a run that change while it is trained."""

    state: RunState
    step: int
    steps: int
    best_step: int
    train_s: float
    peak_rss_mb: float
    device: str
    dtype: str
    reason: str
    estimate: Estimated
    disk_mb: float
    config: TrainingConfig


class RunTable:
    """The runs of one project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, dataset_sha256: str, config: TrainingConfig) -> Run:
        """Add a waiting run, with the folder `runs/ID`. Raises `StoreError` for an unknown dataset."""
        with self._connection.transaction():
            number = self._connection.insert(
                "INSERT INTO runs (dataset_sha256, config, state, folder, created_at) VALUES (?, ?, 'waiting', '', ?)",
                (dataset_sha256, encode(config), now_text()),
            )
            self._connection.write("UPDATE runs SET folder = ? WHERE id = ?", (f"runs/{number}", number))
            return self.get(number)

    def update(self, run_id: int, **changes: Unpack[RunChanges]) -> None:
        """Set the given fields. Raises `NotFoundError`."""
        columns = {
            name: encode(value) if isinstance(value, Estimated | TrainingConfig) else value
            for name, value in changes.items()
        }
        if not self._connection.update("runs", run_id, cast("dict[str, Value]", columns)):
            raise _not_there(run_id)

    def add_curve_point(self, run_id: int, point: CurvePoint) -> None:
        """Add a point to the curve. A resumed run repeats some steps; their later measurement replaces the earlier."""
        self._connection.write(
            """INSERT INTO curve_points (run_id, step, point) VALUES (?, ?, ?)
            ON CONFLICT (run_id, step) DO UPDATE SET point = excluded.point""",
            (run_id, point.step, encode(point)),
        )

    def get(self, id: int) -> Run:
        """Return one run with its curve. Raises `NotFoundError`."""
        row = self._connection.row("SELECT * FROM runs WHERE id = ?", (id,))
        if row is None:
            raise _not_there(id)
        return self._run(row)

    def latest(self) -> Run | None:
        """Return the newest run, or None."""
        row = self._connection.row("SELECT * FROM runs ORDER BY id DESC LIMIT 1")
        return None if row is None else self._run(row)

    def latest_begun(self) -> Run | None:
        """Return the newest run that is more than a plan, else the newest of all, or None."""
        row = self._connection.row("SELECT * FROM runs ORDER BY state = 'waiting' AND best_step = 0, id DESC LIMIT 1")
        return None if row is None else self._run(row)

    def trained_id(self) -> int:
        """Return the id of the newest run with an adapter, or 0, without reading its curve."""
        return self._connection.number("SELECT coalesce(max(id), 0) FROM runs WHERE state = 'done' OR best_step > 0")

    def latest_trained(self) -> Run | None:
        """Return the newest run with an adapter, else the newest of all, or None."""
        number = self.trained_id()
        return self.get(number) if number else self.latest()

    def all(self) -> tuple[Run, ...]:
        """Return all runs with their curves, oldest first."""
        with self._connection.snapshot():
            return tuple(map(self._run, self._connection.rows("SELECT * FROM runs ORDER BY id")))

    def count(self) -> int:
        """Return the number of runs."""
        return self._connection.number("SELECT count(*) FROM runs")

    def add_job(self, run_id: int, job_id: int) -> None:
        """Record that this job trains or resumes the run."""
        self._connection.write("INSERT OR IGNORE INTO run_jobs VALUES (?, ?)", (run_id, job_id))

    def trained_by(self) -> dict[int, tuple[int, ...]]:
        """Return the ids of each run's jobs, oldest first. A sweep's job is listed only for its current run."""
        rows = self._connection.rows(
            """SELECT run_id, job_id FROM run_jobs JOIN runs ON runs.id = run_id JOIN jobs ON jobs.id = job_id
            WHERE jobs.kind <> 'sweep' OR runs.state IN ('running', 'paused') ORDER BY run_id, job_id"""
        )
        return {run_id: tuple(row[1] for row in of) for run_id, of in groupby(rows, key=itemgetter(0))}

    def worked_s(self, id: int) -> float:
        """Return how many seconds the run's jobs have worked at training, without the time of their other runs."""
        jobs = "SELECT job_id FROM run_jobs WHERE run_id = ?1"
        found = self._connection.value(
            f"""SELECT (SELECT total(seconds) FROM job_work WHERE station = 'run' AND job_id IN ({jobs}))
            - total(train_s)
            FROM runs WHERE id <> ?1 AND id IN (SELECT run_id FROM run_jobs WHERE job_id IN ({jobs}))""",
            (id,),
        )
        return found if isinstance(found, float) else 0.0

    def delete(self, id: int) -> None:
        """Delete a run with everything stored about it: its curve, evaluations, their answers, results and releases.

        Its id is never used again, and is listed in `half_deleted` until its files are removed too. Raises
        `NotFoundError`.
        """
        with self._connection.transaction():
            self.get(id)
            self._connection.write("DELETE FROM runs WHERE id = ?", (id,))
            self._connection.write("INSERT INTO half_deleted_runs VALUES (?)", (id,))

    def half_deleted(self) -> tuple[int, ...]:
        """Return the ids of deleted runs whose files may not all be removed yet."""
        return tuple(row[0] for row in self._connection.rows("SELECT id FROM half_deleted_runs ORDER BY id"))

    def mark_files_removed(self, id: int) -> None:
        """Record that all files of a deleted run are removed."""
        self._connection.write("DELETE FROM half_deleted_runs WHERE id = ?", (id,))

    def _run(self, row: sqlite3.Row) -> Run:
        points = self._connection.rows("SELECT point FROM curve_points WHERE run_id = ? ORDER BY step", (row["id"],))
        return Run(
            id=row["id"],
            dataset_sha256=row["dataset_sha256"],
            config=decode(TrainingConfig, row["config"]),
            state=row["state"],
            folder=inner_folder(row["folder"]),
            step=row["step"],
            steps=row["steps"],
            best_step=row["best_step"],
            train_s=row["train_s"],
            peak_rss_mb=row["peak_rss_mb"],
            device=row["device"],
            dtype=row["dtype"],
            reason=row["reason"],
            created_at=row["created_at"],
            estimate=None if row["estimate"] is None else decode(Estimated, row["estimate"]),
            disk_mb=row["disk_mb"],
            curve=tuple(decode(CurvePoint, point[0]) for point in points),
            expected_measure="validation KL" if points or self._has_teacher(row["dataset_sha256"]) else "cross-entropy",
        )

    def _has_teacher(self, dataset_sha256: str) -> bool:
        """Whether a row that the validation reads has a local teacher's distribution."""
        found = self._connection.value(
            """SELECT 1 FROM datasets JOIN dataset_rows ON dataset_id = datasets.id WHERE sha256 = ? AND edited_from > 0
            AND split = CASE WHEN validation THEN 'validation' ELSE 'train' END LIMIT 1""",
            (dataset_sha256,),
        )
        return found is not None


def _not_there(id: int) -> NotFoundError:
    return NotFoundError(f"There is no run {id}.", "", "Start one with `distill-tui train`.")
