"""`update` with a tiny model, real jobs and an endpoint: after a rule changes, no answer is requested twice."""

import json
from pathlib import Path

import pytest

from engine.paths import Home
from tests.engine.cli.calling import fail, get, succeed
from tests.engine.teachers.hostile_server import good, served

SHORT_TRAINING = ("--epochs", "1", "--evaluations", "1", "--lora-rank", "2", "--batch-rows", "4")


@pytest.mark.slow
def test_update_repeats_only_what_a_changed_rule_affects(home: Home, tiny_base: Path, tmp_path: Path) -> None:
    rows = [{"text": f"question {n} of {topic}?", "topic": topic} for topic in "abcdefgh" for n in range(3)]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    succeed("new", "walk", "--base", tiny_base)
    succeed("prompt", "set", "-", input="Answer in one word.")
    assert "freeze" in fail("update", "--plan")["next"]
    succeed("rules", "add", "One word", "kind=length", "unit=words", "max=1")
    succeed("questions", "import", tmp_path / "questions.jsonl")
    succeed("questions", "split", "--test", "0.25", "--validation", "0.25")
    with served(good("yes.")) as server:
        peer = ("--base-url", server.url, "--model", "peer")
        succeed("generate", *peer)
        succeed("curate", "check")
        succeed("curate", "freeze")
        succeed("train", *SHORT_TRAINING)
        succeed("evaluate", "--max-answer-tokens", "7", "--limit", "4", "--samples", "2")
        requests_before = len(server.requests)
        assert not get("update", "--plan")["plan"]["changed"]

        succeed("prompt", "set", "-", input="Answer in one word. End with a point.")
        succeed("rules", "add", "Ends with a point", "kind=ends_with", "text=.")
        plan = get("update", "--plan")["plan"]
        assert ([row["change"] for row in plan["rules"]], len(plan["kept"]), plan["to_ask"]) == (["added"], 18, 0)
        assert "18 answers kept, 0 touched, 0 to ask for" in succeed("update", "--plan").out

        done = succeed("update", "--json", "--epochs", "1")
        assert "18 answers carried over." in done.err
        assert "Run 2 starts from run 1's adapter and trains for 1 epoch." in done.err
        assert (done.data["run"], done.data["initial_run"], done.data["earlier_run"]) == (2, 1, 1)
        assert "Updated in" in done.err
        assert done.data["update_s"] > 0 < done.data["before_s"]
        sampling, arms = done.data["report"]["sampling"], done.data["report"]["arms"]
        assert (sampling["max_answer_tokens"], sampling["limit"], sampling["samples"]) == (7, 4, 2)
        assert [rule["id"] for rule in arms["run:1"]["rules"]] == [1, 2], "the old student has the current rules"
        assert sampling["reused_answers"] == 2 * 4 * 2, "those of the unprompted base and of the old student"
        assert len(server.requests) == requests_before, "no answer is requested twice"
    listed = get("curate", "list", "--limit", "100")["examples"]
    assert sorted(row["carried_from"] for row in listed if row["carried_from"]) == sorted(plan["kept"])
    stations = {row["name"]: row["state"] for row in get("status")["stations"]}
    assert {stations[name] for name in ("prompt", "questions", "examples", "dataset", "run", "evaluation")} == {"done"}
    report = succeed("report", "--compare", "1").out
    assert "run 2 compared with run 1, question by question" in report
    repeated = get("update")
    assert (repeated["run"], repeated["plan"]["changed"]) == (2, False)
    assert [job["kind"] for job in get("status")["jobs"]] == [
        "generate", "train", "evaluate", "update", "update",
    ]  # fmt: skip


def test_new_prompt_version_suggests_an_update(finished: Path) -> None:
    output = succeed("prompt", "set", "-", input="Be brief.").out
    assert output.endswith("Next: distill-tui update --plan, then distill-tui update\n")
