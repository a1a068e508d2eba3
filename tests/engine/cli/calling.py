"""Calls a command as the program does, in this process: its exit status, and what it wrote where."""

import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from click.testing import CliRunner

from engine.cli.main import run


@dataclass(frozen=True, slots=True)
class Call:
    """One call that has ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object that stands alone on standard output; fails where anything else does."""
        return one_object(self.out)


def call(*words: str | int | Path, input: str | bytes = b"") -> Call:
    """Run the command line. An exception that is no exit status escapes: a user would have seen its traceback."""
    with CliRunner().isolation(input=input) as (out, err, _):
        status = run([str(word) for word in words])
        sys.stdout.flush()
        sys.stderr.flush()
    ended = Call(status, out.getvalue().decode(), err.getvalue().decode())
    assert_clean(ended.err)
    if "--json" not in words:
        assert_clean(ended.out)
    return ended


def succeed(*words: str | int | Path, input: str | bytes = b"") -> Call:
    """Run a command line that must succeed."""
    ended = call(*words, input=input)
    assert ended.status == 0, f"{words}: {ended}"
    return ended


def get(*words: str | int | Path, input: str | bytes = b"") -> dict[str, Any]:
    """The JSON object of a command line that must succeed."""
    return succeed(*with_json(words), input=input).data


def fail(*words: str | int | Path, status: int = 2, input: str | bytes = b"") -> dict[str, str]:
    """Run it as text and with `--json`; both must fail alike. Returns the three sentences."""
    text, json_call = call(*words, input=input), call(*with_json(words), input=input)
    assert (text.status, json_call.status) == (status, status), f"{words}: {text} {json_call}"
    assert text.out == "", "an error goes to standard error"
    error: dict[str, str] = json_call.data["error"]
    assert set(error) == {"title", "message", "next"}
    assert all(isinstance(sentence, str) for sentence in error.values())
    assert error["title"]
    # What is foreign in a sentence is cleaned for people; the words of this program are the same.
    assert ascii_words(error["title"]) <= ascii_words(text.err)
    assert "Traceback" not in text.err + json_call.err
    return error


def with_json(words: Sequence[str | int | Path]) -> tuple[str | int | Path, ...]:
    """The words with `--json`, before a `--` where there is one."""
    at = words.index("--") if "--" in words else len(words)
    return (*words[:at], "--json", *words[at:])


def one_object(out: str) -> dict[str, Any]:
    """`out` as the one JSON object that it must be, in strict JSON, on a line of its own."""
    assert out.endswith("\n"), f"no line end after {out[-40:]!r}"
    value = json.loads(out, parse_constant=_no_json)
    assert isinstance(value, dict)
    assert_clean(out)
    return value


def assert_clean(text: str) -> None:
    """Nothing that a terminal would obey: no control but newline and tab, and no change of direction."""
    obeyed = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"}
    assert not obeyed, f"{obeyed!r} in {text[:2_000]!r}"


def ascii_words(text: str) -> set[str]:
    """The words of a sentence that are made of letters alone."""
    return {word for word in text.split() if word.isascii() and word.isalpha()}


def _no_json(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is no JSON")
