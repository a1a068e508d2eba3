"""`report`: its published fields, consistent figures, files, comparisons, and stale evaluations."""

import dataclasses
import math
import os
from pathlib import Path
from typing import Any

import pytest

from engine.economics.prices import find_prices
from engine.folders import remember
from engine.paths import Home
from engine.project import Project
from engine.projects import find_project
from engine.records.cost import CostInputs
from engine.records.evaluation import Evaluation
from engine.records.example import Example, ExampleKey, Usage
from engine.records.options import ProjectSettings, TeacherSpec
from engine.records.prompt import Message, Prompt
from tests.engine.cli.calling import fail, get, succeed
from tests.engine.cli.shapes import REPORT, assert_shape, rates_of
from tests.tui import seeds
from tests.tui.panes.measured_projects import make_compared

HOSTED = TeacherSpec("endpoint", "gpt-5", "https://api.openai.com/v1")


def make_evaluated(home: Home, teacher: TeacherSpec | None = None, **changes: Any) -> Evaluation:
    """Create a project with a finished run and an evaluation, with a separate arm for `teacher` if given."""
    with seeds.make_project(home) as project:
        if teacher is not None:
            project.settings.write(ProjectSettings(teacher=teacher))
        seeds.add_examples(project)
        run_id = seeds.add_run(project, seeds.add_dataset(project), done=True)
        evaluation = seeds.add_evaluation(project, run_id)
        if teacher is not None:
            changes = {"arms": (*evaluation.arms, ("teacher", seeds.arm((360, 350, 355, 360), 348, None, 430.0))),
                       "reference": "teacher"} | changes  # fmt: skip
        return project.evaluations.add(dataclasses.replace(evaluation, **changes)) if changes else evaluation


def assert_rates_are_consistent(data: dict[str, Any]) -> None:
    rates = list(rates_of(data))
    assert rates
    for rate in rates:
        assert 0 <= rate["low"] <= rate["rate"] <= rate["high"] <= 1, rate
        assert 0 <= rate["passed"] <= rate["total"], rate
        assert rate["rate"] == pytest.approx(rate["passed"] / rate["total"]), rate


def test_report_with_a_local_teacher_has_the_published_fields(home: Home) -> None:
    evaluation = make_evaluated(home)
    data = get("report")
    assert_shape(data, REPORT)
    assert_rates_are_consistent(data)
    assert set(data["arms"]) == {"unprompted", "prompted", "distilled", "teacher"}
    assert data["arms"]["teacher"] is None
    assert data["arms"]["prompted"]["kl_to_prompted"] is None
    assert data["prompt"] == {"sha256": evaluation.prompt_sha256, "tokens": 412, "rules": 4}
    assert data["dataset"] == {"sha256": evaluation.dataset_sha256, "train": 26, "validation": 6, "test": 120}
    assert data["student"]["adapter"] == "runs/1/adapter"
    assert data["reference"] == "prompted"
    assert data["verdict"] == "pass"
    assert data["savings"]["cost_usd_per_1000_requests"] == dict.fromkeys(("prompted", "prompted_cached", "distilled"))
    assert data["savings"]["break_even_requests"] == {"uncached": None, "cached": None}
    assert data["savings"]["ttft_ratio"] == pytest.approx(18 / 430)
    stages = [data["timing"][f"{stage}_s"] for stage in ("questions", "generate", "curate", "train", "evaluate")]
    assert data["timing"]["total_s"] == pytest.approx(sum(stages))


def test_report_with_a_hosted_teacher_computes_costs(home: Home) -> None:
    make_evaluated(home, HOSTED)
    with find_project(None, home) as project:
        key = ExampleKey(seeds.PROMPT.sha256, 1, HOSTED.name, 0)
        project.examples.add([Example(key, "An answer.", "stop", "endpoint", usage=Usage(412, 24, cost_usd=3.0))])
    data = get("report")
    assert_shape(data, REPORT)
    assert_rates_are_consistent(data)
    assert data["teacher"] == {"kind": "endpoint", "model": "gpt-5"}
    assert (data["reference"], data["arms"]["teacher"]["all_rules"]["passed"]) == ("teacher", 348)
    prices = find_prices(HOSTED.model, HOSTED.base_url)
    assert prices is not None
    p, q, a = 412, 18.0, 26.0
    rest = q * prices.input_usd_per_mtok + a * prices.output_usd_per_mtok
    expected = {
        "prompted": (p * prices.input_usd_per_mtok + rest) / 1000,
        "prompted_cached": (p * prices.cached_input_usd_per_mtok + rest) / 1000,  # if the cache always hits
        "distilled": (q * 0.05 + a * 0.2) / 1000,
    }
    assert data["savings"]["cost_usd_per_1000_requests"] == pytest.approx(expected)
    assert data["savings"]["break_even_requests"] == {
        "uncached": math.ceil(3000 / (expected["prompted"] - expected["distilled"])),
        "cached": math.ceil(3000 / (expected["prompted_cached"] - expected["distilled"])),
    }


def test_cost_is_null_for_a_teacher_without_a_known_price(home: Home) -> None:
    make_evaluated(home, TeacherSpec("endpoint", "gpt-5", "http://127.0.0.1:9/v1"))
    data = get("report")
    assert_shape(data, REPORT)
    assert data["savings"]["cost_usd_per_1000_requests"]["prompted"] is None


def test_recovered_is_null_with_a_note_if_nothing_can_be_recovered(home: Home) -> None:
    make_evaluated(
        home, recovered=None, recovered_note="There is nothing to recover.", ceiling=None, verdict="undecided"
    )
    data = get("report")
    assert_shape(data, REPORT)
    assert (data["recovered"], data["ceiling"], data["verdict"]) == (None, None, "undecided")
    assert data["recovered_note"] == "There is nothing to recover."
    assert "There is nothing to recover." in succeed("report").out


def test_ttft_ratio_is_null_without_measured_times(home: Home) -> None:
    with seeds.make_project(home) as project:
        seeds.add_examples(project)
        evaluation = seeds.add_evaluation(project, seeds.add_run(project, seeds.add_dataset(project), done=True))
        arms = tuple((name, dataclasses.replace(score, ttft_ms_p50=0.0)) for name, score in evaluation.arms)
        project.evaluations.add(dataclasses.replace(evaluation, arms=arms))
    data = get("report")
    assert_shape(data, REPORT)
    assert data["savings"]["ttft_ratio"] is None
    assert {arm["ttft_ms_p50"] for arm in data["arms"].values() if arm} == {None}


def test_text_shows_the_figures_of_the_json(home: Home) -> None:
    make_evaluated(home)
    data, text = get("report"), succeed("report").out
    for name, arm in data["arms"].items():
        if arm is not None:
            assert name in text
            assert f"{100 * arm['all_rules']['rate']:.1f}".removesuffix(".0") in text
    assert all(rule["text"][:20] in text for rule in data["arms"]["prompted"]["rules"])
    assert f"{data['savings']['prompt_tokens_per_request']}  prompt tokens saved per request" in text
    assert "Passed" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_report_files_are_overwritten_only_with_force(home: Home, tmp_path: Path) -> None:
    make_evaluated(home)
    page, markdown = tmp_path / "report.html", tmp_path / "report.md"
    output = succeed("report", "--html", str(page), "--markdown", str(markdown)).out
    assert output.split() == ["Wrote", str(page), "Wrote", str(markdown)]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert markdown.read_text(encoding="utf-8").startswith("# meridian-desk")
    assert page.stat().st_mode & 0o777 == 0o600
    assert succeed("report", "--markdown").out.startswith("# meridian-desk")
    page.write_text("mine", encoding="utf-8")
    other = tmp_path / "other.md"
    error = fail("report", "--html", str(page), "--markdown", str(other))
    assert (error["title"], error["next"]) == ("The file already exists.", "Name another, or add --force.")
    assert page.read_text(encoding="utf-8") == "mine"
    assert "already" in fail("report", "--html", str(tmp_path / "new.html"), "--markdown", str(markdown))["title"]
    assert not (tmp_path / "new.html").exists(), "either both files are written or none"
    data = get("report", "--html", str(page), "--force")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert_shape(data, REPORT)
    assert data["files"] == [str(page)]
    link = tmp_path / "link.html"
    link.symlink_to(page)
    assert get("report", "--html", str(link), "--force")["files"] == [str(page)]
    assert link.is_symlink(), "the target of a link is written"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for device in (pipe, Path("/dev/null")):
        assert "is a folder, a device or a pipe" in fail("report", "--markdown", str(device))["message"]
        assert not device.is_file()
    assert "There is no folder" in fail("report", "--html", str(tmp_path / "none" / "report.html"))["title"]


def test_report_compares_two_runs(home: Home) -> None:
    folder = make_compared(home)
    remember(folder, home)
    assert "Run 2 compared with run 1" in succeed("report", "--compare", "1").out
    assert "✗ fail" in succeed("report", "--run", "1").out
    data = get("report", "--compare", "1")
    assert (data["verdict"], data["compared"]["verdict"]) == ("pass", "fail")
    assert_shape(data["compared"], REPORT)
    assert get("report", "--compare", "3")["compared"] is None
    assert "evaluate --run 3" in fail("report", "--run", "3")["next"]
    assert "There is no run 9" in fail("report", "--compare", "9")["title"]


def test_costs_use_the_model_chosen_by_the_user(home: Home) -> None:
    make_evaluated(home)
    with find_project(None, home) as project:
        project.settings.write_cost(CostInputs(model="gpt-5", requests_per_day=100.0, one_time_usd=12.0), None)
    savings = get("report")["savings"]
    assert savings["break_even_requests"]["uncached"] > 0
    assert "gpt-5" in savings["note"]


@pytest.mark.parametrize(
    ("stage", "command"),
    [("no prompt", "prompt set"), ("no questions", "questions import"), ("new", "generate"),
     ("generating", "curate freeze"), ("undecided", "curate check"), ("frozen", "train"), ("trained", "evaluate")],
)  # fmt: skip
def test_report_before_an_evaluation_names_the_next_command(home: Home, stage: str, command: str) -> None:
    if stage.startswith("no "):
        with Project.create(home.projects / "desk", home=home) as project:
            if stage == "no questions":
                project.prompts.set(seeds.PROMPT)
    elif stage in ("new", "generating"):
        seeds.make_stage(home, stage)
    else:
        with seeds.make_project(home) as project:
            seeds.add_examples(project, decided=stage != "undecided")
            sha256 = seeds.add_dataset(project) if stage != "undecided" else ""
            if stage == "trained":
                seeds.add_run(project, sha256, done=True)
    assert f"distill-tui {command}" in fail("report")["next"]


def test_assert_shape_reports_every_deviation(finished: Path) -> None:
    data = get("report")
    del data["arms"]["distilled"]["all_rules"]["low"]
    data["schema"] = True
    data["prompt"]["tokens"] = "412"
    data["sampling"]["samples"] = 3.5
    data["verdict"] = "perhaps"
    data["timing"] = []
    with pytest.raises(AssertionError) as caught:
        assert_shape(data, REPORT)
    for place in ("arms.distilled.all_rules.low", "schema", "prompt.tokens", "samples", "verdict", "timing"):
        assert place in str(caught.value)


def test_stale_evaluation_is_marked_at_its_verdict(home: Home, tmp_path: Path) -> None:
    make_evaluated(home)
    assert get("report")["stale"] is None
    assert "Is it current?" not in succeed("report").out
    with Project.open(home.projects / "meridian-desk", home) as project:
        project.prompts.set(Prompt((Message("system", "Another prompt."),)))
    assert get("report")["stale"] == "measured with an older prompt"
    page = tmp_path / "report.html"
    succeed("report", "--html", str(page))
    for text in (succeed("report").out, succeed("report", "--markdown").out, page.read_text(encoding="utf-8")):
        assert "Is it current?" in text
        places = [text.index(part) for part in ("Does it work?", "No: measured with an older prompt.", "Does it pay?")]
        assert places == sorted(places)


def test_evaluation_of_an_older_run_is_stale(home: Home) -> None:
    make_evaluated(home)
    with Project.open(home.projects / "meridian-desk", home) as project:
        second = seeds.add_run(project, project.datasets.require_latest().sha256, done=True)
        assert get("report")["stale"] == "measured on an older run"
        seeds.add_evaluation(project, second)
    assert get("report")["stale"] is None
    assert get("report", "--run", "1")["stale"] == "measured on an older run"
