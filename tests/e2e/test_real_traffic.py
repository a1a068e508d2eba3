"""The README's own commands, headless, on real questions to a bank."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import bundled_text
from engine.model.starter import starter_weights
from engine.prompts.documents import parse_prompt, prompt_to_markdown
from engine.records.station import STATIONS

ROOT = Path(__file__).parents[2]
TRAFFIC = ROOT.parent / "shared" / "data" / "banking77" / "train.jsonl"
QUESTIONS = 200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not TRAFFIC.is_file(), reason=f"the real questions are missing: {TRAFFIC}"),
    pytest.mark.skipif(starter_weights() is None, reason="the starter model's weights are not installed"),
]


def readme_commands() -> list[list[str]]:
    """The arguments of each command under “Your own prompt”, without `distill-tui` itself."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own prompt")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    commands = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    assert all(args[0] == "distill-tui" for args in commands)
    return [args[1:] for args in commands]


class Program:
    """The installed program, run in the user's folder."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "DISTILL_TUI_HOME": str(home), "EDITOR": "false"}

    def __call__(self, *args: str, text: str = "") -> dict[str, Any]:
        """Run one command with `--json`; the object it printed."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("distill-tui")), *args, "--json"],
            cwd=self._folder, env=self._environment, input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(args)}\n{done.stdout}\n{done.stderr[-3000:]}"
        result: dict[str, Any] = json.loads(done.stdout)
        return result


@pytest.fixture
def program(tmp_path: Path, private_home: Path) -> Program:
    """The program, and the three files that the README names, with real questions on all topics."""
    rows = TRAFFIC.read_text(encoding="utf-8").splitlines()
    chosen = [rows[index * len(rows) // QUESTIONS] for index in range(QUESTIONS)]
    prompt = parse_prompt(bundled_text("demo/prompt.yaml"), "the bundled prompt")
    (tmp_path / "prompt.md").write_text(prompt_to_markdown(prompt), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(bundled_text("demo/rules.yaml"), encoding="utf-8")
    (tmp_path / "questions.jsonl").write_text("\n".join(chosen), encoding="utf-8")
    return Program(tmp_path, private_home)


def test_readme_commands_run_every_station_on_real_questions(program: Program) -> None:
    results = {" ".join(command[:2]): program(*command) for command in readme_commands()}
    assert results["questions import"]["added"] == QUESTIONS
    assert results["estimate --model"]["tokens"]["tokenizer"] == "o200k_base"
    assert results["curate check"]["accepted"] > QUESTIONS / 5

    assert {"prompted", "run-1"} <= {row["arm"] for row in results["chat My card was swallowed, what now?"]["answers"]}
    for job in program("jobs", "list")["jobs"]:
        if job["kind"] == "serve":
            program("jobs", "stop", str(job["id"]))

    # Commands that the README does not list.
    first, second = (
        str(program("curate", "list", "--state", state, "--limit", "1")["examples"][0]["id"])
        for state in ("rejected", "accepted")
    )
    program(
        "curate", "edit", first, "-", text="Regarding your card: please call the desk, we will help you. — Meridian"
    )
    program("curate", "accept", second)
    program("curate", "reject", second)
    program("curate", "undo")
    program("curate", "redo")
    program("export", "--form", "merged")
    read_only = ("prompt show", "prompt versions", "rules list", "questions list", "jobs list", "models list", "doctor")
    for command in read_only:
        program(*command.split())

    status = program("status")
    states = {row["name"]: row["state"] for row in status["stations"]}
    # The edit came after the freeze, so the dataset and what was made from it are stale.
    assert states == dict.fromkeys(STATIONS[:3], "done") | dict.fromkeys(STATIONS[3:], "stale")
    report = program("report")
    dataset, arms = report["dataset"], report["arms"]
    assert dataset["train"] + dataset["validation"] + dataset["test"] <= QUESTIONS * 2
    totals = {arms[name]["all_rules"]["total"] for name in ("unprompted", "prompted", "distilled")}
    assert totals == {3 * dataset["test"]}
    rates = {name: arms[name]["all_rules"]["rate"] for name in ("unprompted", "prompted", "distilled")}
    assert rates["unprompted"] < rates["prompted"]
    assert rates["unprompted"] < rates["distilled"]
    assert report["recovered"] is not None, report["recovered_note"]
