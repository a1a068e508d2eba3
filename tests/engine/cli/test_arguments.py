"""Arguments that were not understood, in words and with a code for programs; and `--json` before the command."""

from pathlib import Path

import pytest

from tests.engine.cli.calling import call, fail


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("trian",), "No such command 'trian'. Did you mean train?"),
        (("questions", "sp"), "No such command 'sp'. Did you mean split?"),
        (("train", "--epoch", "3"), "No such option '--epoch'. Did you mean --epochs?"),
        (("xyzzy",), "No such command 'xyzzy'."),
        (("models", "-p", "x"), "-p belongs before the command, or after a subcommand: fetch or list."),
        (("generate", "--samples", "0"), "'--samples' must be a whole number from 1 to 64."),
        (("generate", "--samples", "x"), "'--samples' must be a whole number from 1 to 64."),
        (("estimate", "--model", "x", "--requests-per-day", "-1"), "'--requests-per-day' must be a number, 0 or more."),
        (("train", "sweep", "--minutes", "0"), "'--minutes' must be a number above 0."),
        (("train", "--learning-rate", "nan"), "'--learning-rate' must be a number from 0 to 1."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_argument_is_explained_in_words(args: tuple[str, ...], message: str) -> None:
    assert fail(*args)["message"] == message


def test_missing_command_or_subcommand_is_named() -> None:
    assert call("--json").data["error"]["message"] == "A command is missing."
    assert "A subcommand is missing: delete, free or list." in call("runs").err


def test_json_may_be_asked_for_before_the_command(new_project: Path) -> None:
    before, after = call("--json", "status"), call("status", "--json")
    assert before.data == after.data
    assert before.data["project"] == new_project.name


def test_errors_have_a_code_for_programs(finished: Path) -> None:
    assert fail("train", "--run", "9")["code"] == "not_found"
    assert fail("train", "--foo")["code"] == "usage"
