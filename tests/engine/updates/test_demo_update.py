"""One rule of the quick demo changes, and only what it touches is done again: a slow proof with the real model.

Both times are printed: pytest -s -m slow tests/engine/updates/test_demo_update.py; of the full demo with DEMO=full.
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
def test_one_changed_rule_is_brought_up_in_under_half_of_the_first_time(private_home: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    succeed("demo", *([] if FULL else ["--quick"]), "--headless")
    first_s = time.monotonic() - began
    shown = succeed("prompt", "show").out
    first_line, _, rest = shown.partition("\n")
    (tmp_path / "prompt.md").write_text(f"{first_line} Answer in at most 16 words.\n{rest}")
    succeed("prompt", "set", tmp_path / "prompt.md")
    succeed("rules", "remove", "6")
    succeed("rules", "add", "At most 16 words.", "kind=length", "unit=words", "min=8", "max=16")
    plan = get("update", "--plan")["plan"]
    assert {row["reason"].partition(" ")[0] for row in plan["touched"]} == {"breaks"}
    assert 0 < plan["to_ask"] < len(plan["kept"])
    began = time.monotonic()
    done = get("update")
    update_s = time.monotonic() - began
    assert (done["run"], done["initial_run"]) == (2, 1)
    assert not get("update", "--plan")["plan"]["changed"]
    listed = get("curate", "list", "--limit", "10000")["examples"]
    assert sorted(row["carried_from"] for row in listed if row["carried_from"]) == sorted(plan["kept"])
    told = f"first {first_s:.0f} s, update {update_s:.0f} s, asked {plan['to_ask']}"
    sys.stderr.write(f"{told}\n")
    arms = done["report"]["arms"]
    assert [rule["text"] for rule in arms["run:1"]["rules"]] == [rule["text"] for rule in arms["distilled"]["rules"]]
    assert update_s < first_s / 2, told
