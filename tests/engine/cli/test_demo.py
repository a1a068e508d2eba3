"""`demo` with a finished demo: its report, its job, and when the app opens."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.cli import demo
from engine.cli.main import run
from engine.demo import open_demo, verdict_before
from engine.jobs.protocol import StageStarted, StateChanged
from engine.paths import Home
from engine.records.cost import CostInputs
from engine.records.options import DemoOptions
from engine.records.prompt import Message, Prompt
from tests.engine.cli.calling import fail, get, succeed
from tests.engine.cli.shapes import JOB, REPORT, assert_shape
from tests.tui import seeds


@pytest.fixture
def quick_demo(home: Home) -> Path:
    """The folder of a finished quick demo."""
    with seeds.make_project(home, "demo-quick") as project:
        seeds.add_examples(project)
        seeds.add_evaluation(project, seeds.add_run(project, seeds.add_dataset(project), done=True))
        seeds.add_job(project, DemoOptions(quick=True), "done", [StageStarted("questions"), StateChanged("done")])
        return project.folder


def test_finished_demo_prints_its_report_and_becomes_current(home: Home, quick_demo: Path) -> None:
    succeed("new", "another")
    data = get("demo", "--quick")
    assert_shape(data, REPORT)
    assert data.pop("job")["kind"] == "demo"
    assert data == get("report")
    assert get("status")["project"] == "demo-quick"
    text, report = succeed("demo", "--quick", "--headless").out, succeed("report").out
    assert text.splitlines()[0] == report.splitlines()[0], "the same verdict, in a shorter report"
    assert [job["kind"] for job in get("jobs", "list", "--all")["jobs"]] == ["demo"], "no second job is started"


def test_detached_demo_prints_its_job(quick_demo: Path) -> None:
    data = get("demo", "--quick", "--detach")
    assert_shape(data["job"], JOB)
    assert "distill-tui jobs follow 1" in succeed("demo", "--quick", "--detach").out


def test_verdict_before_the_demo_says_whether_it_pays_off(home: Home) -> None:
    with open_demo(home, quick=True, fresh=True) as project:
        verdict = verdict_before(project)
        assert verdict.startswith("Estimate: Worth it: even with the provider's cache it is repaid")
        assert "1,000 requests a day" in verdict
        project.settings.write_cost(CostInputs("no such model", requests_per_day=2.0), None)
        assert "no such model" in verdict_before(project)
        project.settings.write_cost(CostInputs("gpt-5-mini", requests_per_day=0.01, one_time_usd=75.0), None)
        assert "Not worth it: 0.01 requests a day" in verdict_before(project)


def test_fresh_demo_keeps_foreign_files(home: Home) -> None:
    with open_demo(home, quick=True, fresh=False) as project:
        (project.folder / "notes.txt").write_text("mine")
        project.prompts.set(Prompt((Message("system", "Changed."),)))
    with open_demo(home, quick=True, fresh=True) as project:
        assert project.prompts.require().system != "Changed."
        assert (project.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("args", "terminal", "opened"),
    [((), True, True), ((), False, False), (("--headless",), True, False), (("--json",), True, False),
     (("--detach",), True, False)],
)  # fmt: skip
def test_demo_opens_the_app_only_on_a_terminal(
    args: tuple[str, ...], terminal: bool, opened: bool, quick_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: terminal)))
    opened_folders: list[Path | None] = []

    def open_app(folder: Path | None, _home: Home) -> int:
        opened_folders.append(folder)
        return 5

    status = run(["demo", "--quick", *args], open_app)
    assert (opened_folders, status) == (([quick_demo], 5) if opened else ([], 0))


def test_demo_refuses_a_surplus_argument(home: Home) -> None:
    fail("demo", "surplus")
    assert get("projects", "list") == {"projects": []}
