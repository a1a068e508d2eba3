"""The README says nothing that is not so: its files are there, its commands parse, its keys are the program's."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from engine.cli.main import group
from tui.actions import ACTIONS
from tui.keymap import own_keys

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

# Where each block of commands is carried out. A new block has to be carried out somewhere too.
CARRIED_OUT = {
    "pip install uv && uv run distill-tui demo": "tests/e2e/test_wheel.py",  # the same program, out of its wheel
    "uv run pytest": ".ci/run",
    "distill-tui new desk": "tests/e2e/test_real_traffic.py",
    "pip install .": "tests/e2e/test_wheel.py",
}


def blocks() -> list[list[str]]:
    """The shell blocks, each as its commands without comments."""
    found = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [[line.partition(" #")[0].strip() for line in block.splitlines()] for block in found]


def own_commands() -> Iterator[list[str]]:
    """Every call of the program in a block, as words."""
    for block in blocks():
        for line in block:
            words = shlex.split(line)
            if "distill-tui" in words:
                yield words[words.index("distill-tui") + 1 :]


def test_every_block_is_carried_out_by_a_test_or_by_ci() -> None:
    assert [block[0] for block in blocks()] == list(CARRIED_OUT)
    for place in CARRIED_OUT.values():
        assert (ROOT / place).is_file()
    assert "uv run pytest" in CI
    assert "test_wheel" in CI


@pytest.mark.parametrize("words", own_commands(), ids=shlex.join)
def test_every_command_is_understood(words: list[str]) -> None:
    command: click.Command = group
    context = click.Context(group)
    while isinstance(command, click.Group):
        if command.invoke_without_command and not (words and words[0] in command.commands):
            break
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        assert name is not None
        command = found
        context = click.Context(command, parent=context, info_name=name)
    command.make_context(context.info_name, words)


def test_every_linked_file_is_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    for link in links:
        assert link.startswith("https://") or (ROOT / unquote(link)).exists(), link
    assert any(link.endswith(".svg") for link in links), "the picture is missing"


def test_the_keys_are_those_of_the_program() -> None:
    """The README tells the keys that hold in every pane and in the review, and none that is not there."""
    table = README.partition("## Keys")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([^`]+)`", table)) - {*"123456789"}
    there = {action.shown for actions in ACTIONS.values() for action in actions}
    places = ("everywhere", "workspace", "curate")
    footers = {action.shown for place in places for action in ACTIONS[place] if action.footer}
    assert named <= there
    assert footers <= named


def test_the_keys_of_ones_own_that_it_shows_hold() -> None:
    shown = dict(re.findall(r'`"([a-z_.]+)" = "([^"]+)"`', README))
    assert shown
    assert own_keys(shown) == (shown, ())


def test_the_map_names_every_room() -> None:
    table = README.partition("## The map of the code")[2]
    rooms = {path.name for path in (ROOT / "engine").iterdir() if (path / "__init__.py").is_file()} - {"bundled"}
    assert rooms <= set(re.findall(r"[a-z]+", table))
