"""Every station from the command line, with a tiny model and real jobs: from a prompt to verified releases."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.paths import Home
from engine.project import Project
from engine.records.cost import CostInputs, CostOutcome
from engine.records.station import STATIONS
from tests.engine.cli.calling import fail, get, succeed
from tests.engine.cli.shapes import JOB, REPORT, assert_shape

PROMPT = "Answer in one word.\n\n## User\n\na?\n\n## Assistant\n\nb\n"
RULES = """\
rules:
  - {text: One word, check: {kind: length, unit: words, max: 1}}
  - {text: Ends with a point, check: {kind: ends_with, text: .}}
"""


def test_prompt_is_distilled_from_the_command_line(
    home: Home, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_base.parent)  # jobs have another working directory
    (tmp_path / "rules.yaml").write_text(RULES)
    rows = [{"text": f"question {n} of {topic}?", "topic": topic} for topic in "abcdefgh" for n in range(3)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert get("new", "walk", "--base", f"./{tiny_base.name}")["settings"]["teacher"]["kind"] == "local"
    counted = get("prompt", "set", "-", input=PROMPT)["tokens"]
    assert [count["exact"] for count in counted] == [True]
    assert len(get("rules", "import", tmp_path / "rules.yaml")["rules"]) == 2
    assert get("questions", "import", tmp_path / "questions.jsonl")["added"] == 24
    splits = get("questions", "split", "--test", "0.25", "--validation", "0.25")["splits"]
    assert splits == {"train": 12, "validation": 6, "test": 6}

    project = Project.open(home.projects / "walk", home)
    with assert_cost_is_updated(project):
        generated = succeed("generate", "--max-answer-tokens", "8", "--json")
    assert (generated.data["job"]["state"], generated.data["examples"]["total"]) == ("done", 18)
    write_every_answer(tmp_path)
    frozen = get("curate", "freeze")
    assert (frozen["train"], frozen["validation"]) == (12, 6)

    with assert_cost_is_updated(project):
        trained = get("train", "--epochs", "1", "--evaluations", "1", "--lora-rank", "2", "--batch-rows", "4")
    assert_shape(trained, {"job": JOB, "run": {"id": int, "steps": int, "validation_kl": float, "folder": str}})
    assert (trained["run"]["steps"], trained["run"]["best_step"]) == (3, 3)
    with assert_cost_is_updated(project):
        evaluated = get("evaluate", "--samples", "1", "--max-answer-tokens", "8")
    project.close()
    assert_shape(evaluated, REPORT)
    report = get("report")
    assert report == {name: value for name, value in evaluated.items() if name != "job"}
    assert report["student"]["run"] == 1
    assert [job["kind"] for job in (generated.data["job"], trained["job"], evaluated["job"])] == [
        "generate", "train", "evaluate",
    ]  # fmt: skip
    for made in (trained, evaluated):
        assert get("jobs", "follow", made["job"]["id"]) == made, "what a job has made is known later too"
    assert report["prompt"]["tokens"] == counted[0]["tokens"], "the report counts the prompt like `prompt set`"
    assert report["dataset"] == {"sha256": frozen["sha256"], "train": 12, "validation": 6, "test": 6}
    assert {arm["all_rules"]["total"] for arm in report["arms"].values() if arm} == {6}
    assert report["regressions"]["general"]["questions"] == 54
    assert "One word" in succeed("report").out

    export_both_forms(tmp_path)
    assert {row["name"]: row["state"] for row in get("status")["stations"]} == dict.fromkeys(STATIONS, "done")
    assert [job["kind"] for job in get("status")["jobs"]] == ["generate", "train", "evaluate", *["export"] * 3]
    assert get("jobs", "list") == {"jobs": []}


@contextmanager
def assert_cost_is_updated(project: Project) -> Iterator[None]:
    """Assert that the station run inside the block updates the stored cost of the project."""
    project.settings.write_cost(CostInputs("gpt-5-mini"), CostOutcome("older", "worth_it", 1.0))
    yield
    outcome = project.settings.cost_outcome()
    assert outcome is not None
    assert outcome.prompt_sha256 == project.prompts.require().sha256


def write_every_answer(folder: Path) -> None:
    """Write every answer by hand: a random model follows no rule."""
    get("curate", "check")
    listed: list[dict[str, Any]] = get("curate", "list", "--limit", "100")["examples"]
    assert len(listed) == 18
    for row in listed:
        answer = folder / "answer.txt"
        answer.write_text(f"yes{row['id']}.\n")
        assert get("curate", "edit", row["id"], answer)["broken_rules"] == []
    assert get("curate", "list", "--state", "accepted")["accepted"] == 18


def export_both_forms(folder: Path) -> None:
    """Export the adapter and the merged model; verify checksums, and that a release is not overwritten."""
    adapter = get("export")
    assert (adapter["kind"], adapter["run"], adapter["folder"]) == ("adapter", 1, "releases/run-1-adapter")
    followed = get("jobs", "follow", get("status")["jobs"][-1]["id"])
    assert (followed["release"], followed["path"]) == (adapter["release"], adapter["path"])
    (listed,) = get("releases", "list")["releases"]
    assert (listed["id"], listed["path"]) == (adapter["release"], adapter["path"])
    merged = get("export", "--form", "merged", "--to", folder / "merged")
    assert merged["folder"] == str(folder / "merged")
    assert "Released the merged model of run 1" in succeed("jobs", "follow", merged["job"]["id"]).out
    verify = ["sha256sum", "--quiet", "-c", "SHA256SUMS"]
    assert subprocess.run(verify, cwd=folder / "merged", env=dict(os.environ), check=False).returncode == 0
    assert (folder / "merged" / "model.safetensors").is_file()
    assert "--force" in fail("export")["next"]
    assert "Released the adapter of run 1" in succeed("export", "--force").out
