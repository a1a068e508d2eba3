"""Child processes of a job: their output is kept, and progress bars in it are recognised."""

import sys
from pathlib import Path

import pytest

from engine.errors import JobError
from engine.jobs.child import bar_of, run_child
from engine.jobs.context import JobContext
from engine.project import Project
from engine.records.options import ExportOptions


def test_progress_bars_are_distinguished_from_lines() -> None:
    assert bar_of("Running loglikelihood requests:  45%|████▌     | 9/20 [00:00<00:00, 11.62it/s]") == (
        "Running loglikelihood requests", 9, 20,
    )  # fmt: skip
    assert bar_of("100%|██████████| 10/10 [00:00<00:00, 750.26it/s]") == ("", 10, 10)
    assert bar_of("Writing:  45%|████▌     | 121M/269M [00:01<00:01, 92.1Mbyte/s]") == (
        "Writing",
        121_000_000,
        269_000_000,
    )
    assert bar_of("Writing:   0%|          | 0.00/1.5k [00:00<?, ?byte/s]") == ("Writing", 0, 1_500)
    assert bar_of("x: 1%|| 1.2.3/4 [") == ("x", 0, 4)
    assert bar_of("Generating test split: 12 examples [00:00, 1519.17 examples/s]") is None
    assert bar_of("|colours|Yaml|none|  0|acc|↑  |0.5|±  |0.1667|") is None


def test_unterminated_line_is_kept_in_pieces(project: Project, tmp_path: Path) -> None:
    context = JobContext(project, project.jobs.add(ExportOptions(1)))
    command = (sys.executable, "-c", "print('x' * 20_000, end='')")
    status, lines = run_child(command, tmp_path, context, "base", {})
    context.close()
    assert status == 0
    assert "".join(lines) == "x" * 20_000
    assert max(map(len, lines)) <= 4_000


def test_missing_program_is_named_in_the_error(project: Project, tmp_path: Path) -> None:
    context = JobContext(project, project.jobs.add(ExportOptions(1)))
    with pytest.raises(JobError, match="gone is missing"):
        run_child((str(tmp_path / "gone"),), tmp_path, context, "base", {})
    context.close()
