"""What holds for every command: its options, its help, text or one JSON object, and errors that name real commands."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import engine
from engine.cli.main import COMMANDS, group
from engine.paths import Home
from tests.engine.cli.calling import call, fail, get, succeed

ENGINE = Path(engine.__file__).parent


def leaf_commands() -> Iterator[tuple[str, ...]]:
    """Every command that is not just a group, as its path, such as ("prompt", "set")."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield (name,)
            yield from ((name, inner) for inner in command.list_commands(context))
        else:
            yield (name,)


def command_of(args: tuple[str, ...]) -> click.Command:
    context = click.Context(group)
    command = group.get_command(context, args[0])
    for name in args[1:]:
        assert isinstance(command, click.Group)
        command = command.get_command(context, name)
    assert command is not None, args
    return command


LEAF_COMMANDS = tuple(leaf_commands())
# Commands that change nothing, with arguments that are valid in a finished project.
READ_ONLY = (
    ("prompt", "show"),
    ("prompt", "show", "--version", "1"),
    ("prompt", "remind"),
    ("prompt", "versions"),
    ("prompt", "versions", "--diff", "1", "1"),
    ("rules", "list"),
    ("rules", "propose"),
    ("rules", "test", "RISK SCORE: 1. Well."),
    ("questions", "list"),
    ("questions", "dedupe", "--dry-run"),
    ("curate", "list"),
    ("runs", "list"),
    ("releases", "list"),
    ("settings",),
    ("estimate", "--model", "gpt-5", "--requests-per-day", "10"),
    ("update", "--plan"),
    ("report",),
    ("status",),
    ("jobs", "list", "--all"),
    ("projects", "list"),
    ("models", "list"),
    ("paths",),
    ("doctor",),
)
CHANGING = (
    ("new", "another"),
    ("settings", "--temperature", "0.5"),
    ("prompt", "set", "PROMPT"),
    ("rules", "add", "Ends well", "kind=ends_with", "text=."),
    ("rules", "import", "RULES"),
    ("rules", "propose", "--add"),
    ("prompt", "remind", "2030-01-01"),
    ("rules", "remove", "1"),
    ("questions", "import", "QUESTIONS"),
    ("questions", "dedupe"),
    ("questions", "split"),
    ("questions", "remove", "1", "--force"),
    ("curate", "check"),
    ("curate", "accept", "1"),
    ("curate", "reject", "1"),
    ("curate", "edit", "1", "PROMPT"),
    ("curate", "flag", "1"),
    ("curate", "undo"),
    ("curate", "redo"),
    ("keys", "save", "https://llm.example.com/v1"),
    ("projects", "duplicate", "meridian-desk", "twin"),
    ("projects", "archive", "meridian-desk"),
    ("projects", "restore", "meridian-desk"),
    ("projects", "delete", "meridian-desk", "--yes"),
)


@pytest.mark.parametrize("args", LEAF_COMMANDS, ids=" ".join)
def test_every_command_accepts_json_project_and_home(args: tuple[str, ...]) -> None:
    options = {option for parameter in command_of(args).params for option in parameter.opts}
    assert options >= {"--json", "--project", "--home"}


@pytest.mark.parametrize("args", [(), *LEAF_COMMANDS, *dict.fromkeys(args[:1] for args in LEAF_COMMANDS)], ids=" ".join)
def test_help_is_printed_to_stdout_and_creates_nothing(args: tuple[str, ...], private_home: Path) -> None:
    for option in ("--help", "-h") if not args else ("--help",):
        shown = succeed(*args, option)
        assert shown.out.startswith(" ".join(["Usage: distill-tui", *args]))
        assert shown.err == ""
    assert not private_home.exists()


def test_commands_are_listed_in_workflow_order() -> None:
    shown = succeed("--help").out.partition("Commands:")[2]
    assert re.findall(r"^  ([a-z]+)", shown, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", sorted({args[0] for args in LEAF_COMMANDS if len(args) == 2}))
def test_help_of_a_group_has_whole_sentences_and_matches_the_main_help(name: str) -> None:
    command = command_of((name,))
    assert isinstance(command, click.Group)
    listed = "".join(succeed(name, "--help").out.partition("Commands:")[2].split())
    for each in command.commands.values():
        sentence, _, _ = (each.help or "").partition("\n\n")[0].partition(". ")
        assert "".join(sentence.split()) in listed
    if not command.invoke_without_command:
        assert command.help == COMMANDS[name]


def test_version_is_that_of_the_package() -> None:
    assert succeed("--version").out == f"distill-tui, version {engine.__version__}\n"


@pytest.mark.parametrize("args", READ_ONLY, ids=" ".join)
def test_read_only_command_prints_text_or_one_json_object(args: tuple[str, ...], finished: Path) -> None:
    text = succeed(*args)
    assert text.out.strip()
    assert not text.out.startswith("{")
    data = get(*args)
    assert data
    assert "error" not in data


@pytest.mark.parametrize("json_output", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("args", CHANGING, ids=" ".join)
def test_changing_command_prints_text_or_one_json_object(
    args: tuple[str, ...], finished: Path, input_files: dict[str, str], *, json_output: bool
) -> None:
    args = tuple(input_files.get(arg, arg) for arg in args)
    if json_output:
        assert get(*args, input="sk-a-key-of-mine")
    else:
        assert succeed(*args, input="sk-a-key-of-mine").out.strip()


@pytest.mark.parametrize("args", LEAF_COMMANDS, ids=" ".join)
def test_unknown_option_is_refused_and_points_to_help(args: tuple[str, ...], private_home: Path) -> None:
    error = fail(*args, "--no-such-option")
    assert "--no-such-option" in error["message"]
    assert error["next"] == f"See `distill-tui {' '.join(args)} --help`."
    assert not private_home.exists()


@pytest.mark.parametrize("args", [("frobnicate",), ("prompt", "frobnicate"), ("--frobnicate",)], ids=" ".join)
def test_unknown_command_is_refused(args: tuple[str, ...]) -> None:
    assert args[-1] in fail(*args)["message"]


@pytest.mark.parametrize(
    "name", sorted({args[0] for args in LEAF_COMMANDS if len(args) == 2 and args[:1] not in LEAF_COMMANDS})
)
def test_group_without_a_command_lists_its_commands(name: str) -> None:
    shown = call(name)
    assert shown.status == 2
    assert shown.out == ""
    for args in LEAF_COMMANDS:
        if args[0] == name:
            assert args[1] in shown.err


def texts_naming_a_command() -> Iterator[tuple[str, str]]:
    """Every text of the engine that names a command, as (file, text); fields of f-strings are left as {}."""
    for path in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = ""
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if "distill-tui " in text:
                yield str(path.relative_to(ENGINE)), text


def test_every_command_named_in_a_text_exists() -> None:
    checked = 0
    for place, text in texts_naming_a_command():
        for args in re.findall(r"(?<!Install )distill-tui ([a-z]+(?: [a-z]+)?(?: --[a-z-]+)*)", text):
            first, *rest = args.split()
            assert first in COMMANDS, f"{place}: distill-tui {args}"
            path: tuple[str, ...] = (first,)
            if isinstance(command_of(path), click.Group) and rest and not rest[0].startswith("--"):
                path = (first, rest[0])
                assert path in LEAF_COMMANDS, f"{place}: distill-tui {args}"
            options = {option for parameter in command_of(path).params for option in parameter.opts}
            assert {word for word in rest if word.startswith("--")} <= options, f"{place}: distill-tui {args}"
            checked += 1
    assert checked > 30


def test_empty_home_lists_nothing_and_is_not_created(home: Home, private_home: Path) -> None:
    assert get("projects", "list") == {"projects": []}
    assert "distill-tui new" in succeed("projects", "list").out
    assert get("models", "list") == {"models": []}
    assert not private_home.exists()
