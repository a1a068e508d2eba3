"""The README is correct: its files exist, its commands parse, and its keys are those of the program."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from engine.cli.main import group
from tui.actions import ACTIONS, Place
from tui.keymap import own_keys

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

# What runs each block of commands. A new block needs an entry, and something that runs it.
RUN_BY = {
    "pip install uv && uv run distill-tui demo": "tests/e2e/test_wheel.py",  # the same program, from its wheel
    "uv run pytest": ".ci/run",
    "distill-tui new desk": "tests/e2e/test_real_traffic.py",
    "pip install .": "tests/e2e/test_wheel.py",
}


def blocks() -> list[list[str]]:
    """The shell blocks, each as its commands without comments."""
    found = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [[line.partition(" #")[0].strip() for line in block.splitlines()] for block in found]


def own_commands() -> Iterator[list[str]]:
    """The arguments of every call of the program in a block."""
    for block in blocks():
        for line in block:
            args = shlex.split(line)
            if "distill-tui" in args:
                yield args[args.index("distill-tui") + 1 :]


def test_every_shell_block_is_run_by_a_test_or_ci() -> None:
    assert [block[0] for block in blocks()] == list(RUN_BY)
    for path in RUN_BY.values():
        assert (ROOT / path).is_file()
    assert "uv run pytest" in CI
    assert "test_wheel" in CI


@pytest.mark.parametrize("args", own_commands(), ids=shlex.join)
def test_every_command_parses(args: list[str]) -> None:
    command: click.Command = group
    context = click.Context(group)
    while isinstance(command, click.Group):
        if command.invoke_without_command and not (args and args[0] in command.commands):
            break
        name, found, args = command.resolve_command(context, args)
        assert found is not None
        assert name is not None
        command = found
        context = click.Context(command, parent=context, info_name=name)
    command.make_context(context.info_name, args)


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    for link in links:
        assert link.startswith("https://") or (ROOT / unquote(link)).exists(), link
    assert any(link.endswith(".svg") for link in links), "the picture is missing"


def test_key_table_matches_the_program() -> None:
    """The README lists the footer keys of every pane and of the review, and no key that does not exist."""
    table = README.partition("## Keys")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([^`]+)`", table)) - {*"123456789"}
    existing = {action.shown for actions in ACTIONS.values() for action in actions}
    places: tuple[Place, ...] = ("everywhere", "workspace", "curate")
    in_footers = {action.shown for place in places for action in ACTIONS[place] if action.footer}
    assert named <= existing
    assert in_footers <= named


def test_example_of_custom_keys_is_valid() -> None:
    shown = dict(re.findall(r'`"([a-z_.]+)" = "([^"]+)"`', README))
    assert shown
    assert own_keys(shown) == (shown, ())


def test_code_map_names_every_engine_package() -> None:
    table = README.partition("## The map of the code")[2]
    packages = {path.name for path in (ROOT / "engine").iterdir() if (path / "__init__.py").is_file()} - {"bundled"}
    assert packages <= set(re.findall(r"[a-z]+", table))
