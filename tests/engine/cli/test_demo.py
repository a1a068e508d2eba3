"""The demo command around a demo that is done: the report at its end, the job's number, and the way to the screen."""

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
    """The folder of a quick demo that has come to its end."""
    with seeds.make_project(home, "demo-quick") as project:
        seeds.add_examples(project)
        seeds.add_evaluation(project, seeds.add_run(project, seeds.add_dataset(project), done=True))
        seeds.add_job(project, DemoOptions(quick=True), "done", [StageStarted("questions"), StateChanged("done")])
        return project.folder


def test_a_demo_ends_with_the_report_and_becomes_the_current_project(home: Home, quick_demo: Path) -> None:
    succeed("new", "another")
    data = get("demo", "--quick")
    assert_shape(data, REPORT)
    assert data == get("report")
    assert get("status")["project"] == "demo-quick"
    text, whole = succeed("demo", "--quick", "--headless").out, succeed("report").out
    assert text.splitlines()[0] == whole.splitlines()[0], "the same verdict, told more briefly"
    assert [job["kind"] for job in get("jobs", "list", "--all")["jobs"]] == ["demo"], "nothing is started again"


def test_detached_it_prints_its_job(quick_demo: Path) -> None:
    data = get("demo", "--quick", "--detach")
    assert_shape(data["job"], JOB)
    assert "distill-tui jobs follow 1" in succeed("demo", "--quick", "--detach").out


def test_before_it_begins_a_demo_says_whether_it_would_pay(home: Home) -> None:
    with open_demo(home, quick=True, fresh=True) as project:
        said = verdict_before(project)
        assert said.startswith("Estimate: Worth it: even with the provider's cache it is repaid")
        assert "1,000 requests a day" in said
        project.settings.write_cost(CostInputs("no such model", requests_per_day=2.0), None)
        assert "no such model" in verdict_before(project)
        project.settings.write_cost(CostInputs("gpt-5-mini", requests_per_day=0.01, one_time_usd=75.0), None)
        assert "Not worth it: 0.01 requests a day" in verdict_before(project)


def test_a_demo_is_made_again_beside_what_a_person_keeps_there(home: Home) -> None:
    with open_demo(home, quick=True, fresh=False) as project:
        (project.folder / "notes.txt").write_text("mine")
        project.prompts.set(Prompt((Message("system", "Changed."),)))
    with open_demo(home, quick=True, fresh=True) as project:
        assert project.prompts.require().system != "Changed."
        assert (project.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "terminal", "opened"),
    [((), True, True), ((), False, False), (("--headless",), True, False), (("--json",), True, False),
     (("--detach",), True, False)],
)  # fmt: skip
def test_only_on_a_terminal_the_app_opens(
    words: tuple[str, ...], terminal: bool, opened: bool, quick_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: terminal)))
    seen: list[Path] = []

    def open_app(folder: Path, _home: Home) -> int:
        seen.append(folder)
        return 5

    status = run(["demo", "--quick", *words], open_app)
    assert (seen, status) == (([quick_demo], 5) if opened else ([], 0))


def test_it_is_no_place_for_a_surplus_word(home: Home) -> None:
    fail("demo", "surplus")
    assert get("projects", "list") == {"projects": []}
