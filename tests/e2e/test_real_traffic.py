"""Real questions to a bank through every station, headless: the README's own commands, word by word."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

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
    pytest.mark.skipif(not TRAFFIC.is_file(), reason=f"the real traffic is absent: {TRAFFIC}"),
    pytest.mark.skipif(starter_weights() is None, reason="the starter model's weights are not installed"),
]


def readme_commands() -> list[list[str]]:
    """The words of each command under «Your own prompt», without `distill-tui` itself."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own prompt")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    commands = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    assert all(words[0] == "distill-tui" for words in commands)
    return [words[1:] for words in commands]


class RequestQueue:
    """A folder in which a person works, and the installed program."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "DISTILL_TUI_HOME": str(home), "EDITOR": "false"}

    def __call__(self, *words: str, text: str = "") -> dict[str, object]:
        """Run one command with `--json`; the object it printed."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("distill-tui")), *words, "--json"],
            cwd=self._folder, env=self._environment, input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr[-3000:]}"
        result: dict[str, object] = json.loads(done.stdout)
        return result


@pytest.fixture
def desk(tmp_path: Path, private_home: Path) -> RequestQueue:
    """The three files that the README names, with real questions spread over all topics of the traffic."""
    rows = TRAFFIC.read_text(encoding="utf-8").splitlines()
    chosen = [rows[index * len(rows) // QUESTIONS] for index in range(QUESTIONS)]
    prompt = parse_prompt(bundled_text("demo/prompt.yaml"), "the bundled prompt")
    (tmp_path / "prompt.md").write_text(prompt_to_markdown(prompt), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(bundled_text("demo/rules.yaml"), encoding="utf-8")
    (tmp_path / "questions.jsonl").write_text("\n".join(chosen), encoding="utf-8")
    return RequestQueue(tmp_path, private_home)


def test_every_station_on_real_questions(desk: RequestQueue) -> None:
    results = {" ".join(words[:2]): desk(*words) for words in readme_commands()}
    assert results["questions import"]["added"] == QUESTIONS
    assert results["estimate --model"]["tokens"]["tokenizer"] == "o200k_base"
    assert results["curate check"]["accepted"] > QUESTIONS / 5

    assert {"prompted", "run-1"} <= {row["arm"] for row in results["chat My card was swallowed, what now?"]["answers"]}
    for job in desk("jobs", "list")["jobs"]:
        if job["kind"] == "serve":
            desk("jobs", "stop", str(job["id"]))

    # What a person does between the README's lines.
    first, second = (
        str(desk("curate", "list", "--state", state, "--limit", "1")["examples"][0]["id"])
        for state in ("rejected", "accepted")
    )
    desk("curate", "edit", first, "-", text="Regarding your card: please call the desk, we will help you. — Meridian")
    desk("curate", "accept", second)
    desk("curate", "reject", second)
    desk("curate", "undo")
    desk("curate", "redo")
    desk("export", "--form", "merged")
    shown = ("prompt show", "prompt versions", "rules list", "questions list", "jobs list", "models list", "doctor")
    for words in shown:
        desk(*words.split())

    status = desk("status")
    states = {row["name"]: row["state"] for row in status["stations"]}
    # The edit came after the freeze: what was made from the dataset is stale, and says so.
    assert states == dict.fromkeys(STATIONS[:3], "done") | dict.fromkeys(STATIONS[3:], "stale")
    report = desk("report")
    dataset, arms = report["dataset"], report["arms"]
    assert dataset["train"] + dataset["validation"] + dataset["test"] <= QUESTIONS * 2
    totals = {arms[name]["all_rules"]["total"] for name in ("unprompted", "prompted", "distilled")}
    assert totals == {3 * dataset["test"]}
    rates = {name: arms[name]["all_rules"]["rate"] for name in ("unprompted", "prompted", "distilled")}
    assert rates["unprompted"] < rates["prompted"]
    assert rates["unprompted"] < rates["distilled"]
    assert report["recovered"] is not None, report["recovered_note"]
