"""Run a command line in this process as the program does, and return its exit status, output and errors."""

import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from click.testing import CliRunner

from engine.cli.main import run

PROGRAM = str(Path(sys.executable).with_name("distill-tui"))  # as installed, for tests of a real process


@dataclass(frozen=True, slots=True)
class Call:
    """The result of one command line."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object on standard output; fails if there is anything else."""
        return one_object(self.out)


def call(*args: str | int | Path, input: str | bytes = b"") -> Call:
    """Run the command line. Unhandled exceptions are raised: a user would have seen a traceback."""
    with CliRunner().isolation(input=input) as (out, err, _):
        status = run([str(arg) for arg in args])
        sys.stdout.flush()
        sys.stderr.flush()
    ended = Call(status, out.getvalue().decode(), err.getvalue().decode())
    assert_clean(ended.err)
    if "--json" not in args:
        assert_clean(ended.out)
    return ended


def succeed(*args: str | int | Path, input: str | bytes = b"") -> Call:
    """Run a command line that must succeed."""
    ended = call(*args, input=input)
    assert ended.status == 0, f"{args}: {ended}"
    return ended


def get(*args: str | int | Path, input: str | bytes = b"") -> dict[str, Any]:
    """Run a command line that must succeed with `--json`, and return its object."""
    return succeed(*with_json(args), input=input).data


def find(*args: str | int | Path, input: str | bytes = b"") -> tuple[str, dict[str, Any]]:
    """Run a command line that finds a problem, as text and with `--json`: it fails, and still prints its result.

    Return the text and the object.
    """
    text, json_call = call(*args, input=input), call(*with_json(args), input=input)
    assert (text.status, json_call.status) == (1, 1), f"{args}: {text} {json_call}"
    result = json_call.data
    error = result.pop("error")
    assert set(error) == {"code", "title", "message", "next"}
    assert error["title"] in text.err
    assert error["next"] in text.err
    assert text.out
    assert result
    return text.out, result


def fail(*args: str | int | Path, status: int = 2, input: str | bytes = b"") -> dict[str, str]:
    """Run a command line as text and with `--json`; both must fail alike. Return the parts of the error."""
    text, json_call = call(*args, input=input), call(*with_json(args), input=input)
    assert (text.status, json_call.status) == (status, status), f"{args}: {text} {json_call}"
    assert text.out == "", "an error goes to standard error"
    error: dict[str, str] = json_call.data["error"]
    assert set(error) == {"code", "title", "message", "next"}
    assert all(isinstance(sentence, str) for sentence in error.values())
    assert error["title"]
    # Foreign text is cleaned in the text output; the program's own words are the same in both.
    assert ascii_words(error["title"]) <= ascii_words(text.err)
    assert "Traceback" not in text.err + json_call.err
    return error


def with_json(args: Sequence[str | int | Path]) -> tuple[str | int | Path, ...]:
    """The arguments with `--json`, before a `--` if there is one."""
    at = args.index("--") if "--" in args else len(args)
    return (*args[:at], "--json", *args[at:])


def one_object(out: str) -> dict[str, Any]:
    """Parse `out`, which must be one object in strict JSON and end with a newline."""
    assert out.endswith("\n"), f"no line end after {out[-40:]!r}"
    value = json.loads(out, parse_constant=_no_json)
    assert isinstance(value, dict)
    assert_clean(out)
    return value


def assert_clean(text: str) -> None:
    """Fail if `text` holds anything a terminal would obey: controls but newline and tab, or changes of direction."""
    control_characters = {
        c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"
    }
    assert not control_characters, f"{control_characters!r} in {text[:2_000]!r}"


def ascii_words(text: str) -> set[str]:
    """The words of `text` that consist of ASCII letters only."""
    return {word for word in text.split() if word.isascii() and word.isalpha()}


def _no_json(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is not valid JSON")
