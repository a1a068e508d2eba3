"""What holds for every command: its options, help without work, one JSON object, sentences that can be followed."""

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
PROMPT = "You answer for a bank. Be brief."


def leaves() -> Iterator[tuple[str, ...]]:
    """Every command that does something, as the words that name it."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield (name,)
            yield from ((name, inner) for inner in command.list_commands(context))
        else:
            yield (name,)


def command_of(words: tuple[str, ...]) -> click.Command:
    context = click.Context(group)
    command = group.get_command(context, words[0])
    for word in words[1:]:
        assert isinstance(command, click.Group)
        command = command.get_command(context, word)
    assert command is not None, words
    return command


LEAVES = tuple(leaves())
# What can be asked of a finished project without changing it.
QUESTIONS = (
    ("prompt", "show"),
    ("prompt", "show", "--version", "1"),
    ("prompt", "check"),
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
CHANGES = (
    ("new", "another"),
    ("prompt", "set", "PROMPT"),
    ("rules", "add", "Ends well", "kind=ends_with", "text=."),
    ("rules", "import", "RULES"),
    ("rules", "propose", "--add"),
    ("prompt", "remind", "2030-01-01"),
    ("rules", "remove", "1"),
    ("questions", "import", "QUESTIONS"),
    ("questions", "dedupe"),
    ("questions", "split"),
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


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Files to give to commands, by the word that stands for them."""
    texts = {
        "PROMPT": PROMPT,
        "RULES": "rules: [{text: Ends well, check: {kind: ends_with, text: .}}]",
        "QUESTIONS": "Is it open?\nWhere is it?\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in texts}


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_takes_the_three_options(words: tuple[str, ...]) -> None:
    options = {option for parameter in command_of(words).params for option in parameter.opts}
    assert options >= {"--json", "--project", "--home"}


@pytest.mark.parametrize("words", [(), *LEAVES, *dict.fromkeys(words[:1] for words in LEAVES)], ids=" ".join)
def test_help_answers_on_standard_output_and_makes_nothing(words: tuple[str, ...], private_home: Path) -> None:
    for option in ("--help", "-h") if not words else ("--help",):
        shown = succeed(*words, option)
        assert shown.out.startswith(" ".join(["Usage: distill-tui", *words]))
        assert shown.err == ""
    assert not private_home.exists()


def test_the_list_of_commands_is_in_the_order_of_the_work() -> None:
    shown = succeed("--help").out.partition("Commands:")[2]
    assert re.findall(r"^  ([a-z]+)", shown, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", sorted({words[0] for words in LEAVES if len(words) == 2}))
def test_a_group_tells_its_commands_in_whole_sentences_and_itself_in_one_way(name: str) -> None:
    command = command_of((name,))
    assert isinstance(command, click.Group)
    listed = "".join(succeed(name, "--help").out.partition("Commands:")[2].split())
    for each in command.commands.values():
        sentence, _, _ = (each.help or "").partition("\n\n")[0].partition(". ")
        assert "".join(sentence.split()) in listed
    if not command.invoke_without_command:
        assert command.help == COMMANDS[name]


def test_the_version_is_the_packages() -> None:
    assert succeed("--version").out == f"distill-tui, version {engine.__version__}\n"


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_question_is_answered_as_text_and_as_one_object(words: tuple[str, ...], finished: Path) -> None:
    text = succeed(*words)
    assert text.out.strip()
    assert not text.out.startswith("{")
    data = get(*words)
    assert data
    assert "error" not in data


@pytest.mark.parametrize("json_output", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("words", CHANGES, ids=" ".join)
def test_a_change_is_told_as_text_or_as_one_object(
    words: tuple[str, ...], finished: Path, files: dict[str, str], *, json_output: bool
) -> None:
    words = tuple(files.get(word, word) for word in words)
    if json_output:
        assert get(*words, input="sk-a-key-of-mine")
    else:
        assert succeed(*words, input="sk-a-key-of-mine").out.strip()


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_an_unknown_option_is_refused_with_the_way_to_help(words: tuple[str, ...], private_home: Path) -> None:
    error = fail(*words, "--no-such-option")
    assert "--no-such-option" in error["message"]
    assert error["next"] == f"See `distill-tui {' '.join(words)} --help`."
    assert not private_home.exists()


@pytest.mark.parametrize("words", [("frobnicate",), ("prompt", "frobnicate"), ("--frobnicate",)], ids=" ".join)
def test_an_unknown_command_is_refused(words: tuple[str, ...]) -> None:
    assert words[-1] in fail(*words)["message"]


@pytest.mark.parametrize("name", sorted({words[0] for words in LEAVES if len(words) == 2 and words[:1] not in LEAVES}))
def test_a_group_alone_says_what_there_is_to_say(name: str) -> None:
    shown = call(name)
    assert shown.status == 2
    assert shown.out == ""
    for words in LEAVES:
        if words[0] == name:
            assert words[1] in shown.err


def sentences() -> Iterator[tuple[str, str]]:
    """(file, text) of every text of the engine that names a command; what an f-string fills in is left as {}."""
    for path in sorted(ENGINE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = ""
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if "distill-tui " in text:
                yield str(path.relative_to(ENGINE)), text


def test_every_command_that_a_sentence_names_is_there() -> None:
    named = 0
    for place, text in sentences():
        for words in re.findall(r"(?<!Install )distill-tui ([a-z]+(?: [a-z]+)?(?: --[a-z-]+)*)", text):
            first, *rest = words.split()
            assert first in COMMANDS, f"{place}: distill-tui {words}"
            path: tuple[str, ...] = (first,)
            if isinstance(command_of(path), click.Group) and rest and not rest[0].startswith("--"):
                path = (first, rest[0])
                assert path in LEAVES, f"{place}: distill-tui {words}"
            options = {option for parameter in command_of(path).params for option in parameter.opts}
            assert {word for word in rest if word.startswith("--")} <= options, f"{place}: distill-tui {words}"
            named += 1
    assert named > 30


def test_a_home_without_projects_says_so_and_stays_empty(home: Home, private_home: Path) -> None:
    assert get("projects", "list") == {"projects": []}
    assert "distill-tui new" in succeed("projects", "list").out
    assert get("models", "list") == {"models": []}
    assert not private_home.exists()
