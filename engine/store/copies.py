"""A partial copy of a project's database: which tables are copied along with what."""

from contextlib import closing
from pathlib import Path
from typing import Literal

from engine.store.connection import Connection
from engine.store.sqlite_errors import explained

# Each includes the ones before it: a run makes no sense without the examples that it was trained on.
Kept = Literal["questions", "examples", "runs"]
KEPT: tuple[Kept, ...] = ("questions", "examples", "runs")

# Tables are emptied in this order: those that refer to other rows come first.
NEVER_COPIED = ("in_flight", "releases", "job_work", "run_jobs", "jobs", "half_deleted_runs")
COPIED_WITH: dict[Kept, tuple[str, ...]] = {
    "runs": (
        "harness_results",
        "verdicts",
        "probe_answers",
        "arm_answers",
        "evaluations",
        "curve_points",
        "runs",
        "dataset_rows",
        "dataset_prompts",
        "datasets",
        "votes",
    ),
    "examples": ("decisions", "decision_steps", "broken_rules", "examples", "spending", "judgements"),
    "questions": ("settings", "timings", "rules", "questions", "prompts"),
}
_TIMED: dict[Kept, tuple[str, ...]] = {
    "runs": ("train", "evaluate"),
    "examples": ("generate", "curate"),
    "questions": ("questions",),
}
_ENDED = ("done", "stopped", "failed")


def write_copy(source: Connection, path: Path, kept: Kept) -> None:
    """Write a database to `path` with the facts of `source` at one point in time, up to and including `kept`.

    Runs that have not ended are left out, because their jobs are. Raises `StoreError`.
    """
    source.back_up(path)
    left_out = KEPT[KEPT.index(kept) + 1 :]
    with closing(Connection(path)) as copy:
        with copy.transaction():
            for table in NEVER_COPIED:
                copy.write(f"DELETE FROM {table}")
            copy.write(f"DELETE FROM runs WHERE state NOT IN ({_marks(_ENDED)})", _ENDED)
            for part in reversed(left_out):
                for table in COPIED_WITH[part]:
                    copy.write(f"DELETE FROM {table}")
                copy.write(f"DELETE FROM timings WHERE stage IN ({_marks(_TIMED[part])})", _TIMED[part])
            if "runs" in left_out:  # a chat refers to runs, as votes do
                copy.write("DELETE FROM settings WHERE name = 'talk'")
            if "examples" in left_out:
                copy.write("INSERT INTO examples_fts (examples_fts) VALUES ('delete-all')")
        # Otherwise the file would not shrink.
        with explained(path):
            copy.driver.execute("VACUUM").close()


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))
