"""An update of the quick demo after one rule changed, with the real model: only affected answers are asked again. Slow.

To see both times: pytest -s -m slow tests/engine/updates/test_demo_update.py. Set DEMO=full for the full demo.
"""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.engine.cli.calling import get, succeed

FULL = os.environ.get("DEMO") == "full"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_update_after_one_rule_change_takes_less_than_half_the_first_time(private_home: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    succeed("demo", *([] if FULL else ["--quick"]), "--headless")
    first_s = time.monotonic() - start
    prompt = succeed("prompt", "show").out
    first_line, _, rest = prompt.partition("\n")
    (tmp_path / "prompt.md").write_text(f"{first_line} Answer in at most 16 words.\n{rest}")
    succeed("prompt", "set", tmp_path / "prompt.md")
    succeed("rules", "remove", "6")
    succeed("rules", "add", "At most 16 words.", "kind=length", "unit=words", "min=8", "max=16")
    plan = get("update", "--plan")["plan"]
    assert {row["reason"].partition(" ")[0] for row in plan["touched"]} == {"breaks"}
    assert 0 < plan["to_ask"] < len(plan["kept"])
    start = time.monotonic()
    result = get("update")
    update_s = time.monotonic() - start
    assert (result["run"], result["initial_run"]) == (2, 1)
    assert not get("update", "--plan")["plan"]["changed"]
    listed = get("curate", "list", "--limit", "10000")["examples"]
    assert sorted(row["carried_from"] for row in listed if row["carried_from"]) == sorted(plan["kept"])
    summary = f"first {first_s:.0f} s, update {update_s:.0f} s, asked {plan['to_ask']}"
    sys.stderr.write(f"{summary}\n")
    arms = result["report"]["arms"]
    assert [rule["text"] for rule in arms["run:1"]["rules"]] == [rule["text"] for rule in arms["distilled"]["rules"]]
    assert update_s < first_s / 2, summary
