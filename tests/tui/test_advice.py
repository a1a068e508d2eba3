"""The engine's advice in the app: keys in place of commands, and no command forgotten."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NotFoundError
from tui.advice import _KEYS, in_app
from tui.keys import key_of
from tui.services.failing import as_distill_error

ENGINE = Path(__file__).parents[2] / "engine"
# What has no place in the app: for these, the advice names the command.
ONLY_IN_A_SHELL = {"bench", "demo", "doctor", "harness", "models fetch", "projects delete", "questions dedupe",
                   "rules import", "runs delete", "serve"}  # fmt: skip


@pytest.mark.parametrize(
    ("advice", "expected"),
    [
        ("Freeze one: distill-tui curate freeze", "Freeze one: 4 z"),
        ("Run: distill-tui questions import FILE", "Press 2 m"),
        ("Release a run: distill-tui export", "Release a run: 7 e"),
        (
            "Generate and accept answers, then run `distill-tui curate freeze`.",
            "Generate and accept answers, then press 4 z.",
        ),
        ("See `distill-tui jobs list`.", "See L."),
        ("Wait for it, or stop it with `distill-tui jobs stop 3`.", "Wait for it, or stop it with L x."),
        ("Stop it: `distill-tui jobs stop 3 --project desk`.", "Stop it: enter L x."),
        ("Stop: `distill-tui jobs stop 3 --project a`, `distill-tui jobs stop 4 --project a`.", "Stop: enter L x."),
        ("Continue training: distill-tui train --run 3", "Continue training: L r"),
        (
            "Train a new run that starts from it: distill-tui train --initial-run 3",
            "Train a new run that starts from it: 5 t",
        ),
        (
            "Reject it (distill-tui curate reject 12), freeze a new dataset and train on it.",
            "Reject it (c), freeze a new dataset and train on it.",
        ),
        ("Edit it (distill-tui curate edit 12), or do not select it.", "Edit it (e), or do not select it."),
        (
            "Let the rules decide (distill-tui curate check), or review them yourself.",
            "Let the rules decide (c c), or review them yourself.",
        ),
        ("Run `distill-tui doctor`.", "Run `distill-tui doctor`."),
        ("See `distill-tui train a+b`.", "See `distill-tui train a+b`."),
    ],
)
def test_commands_in_advice_become_keys(advice: str, expected: str) -> None:
    assert in_app(advice) == expected


@given(st.text())
def test_other_text_stays_and_conversion_happens_once(text: str) -> None:
    assert in_app(text) == (text if "distill-tui" not in text else in_app(in_app(text)))


def test_foreign_text_that_looks_like_a_command_takes_no_time() -> None:
    begins = time.monotonic()
    endless = "`distill-tui train" + " --a AA" * 10_000 + " !"
    assert in_app(endless) == endless
    assert time.monotonic() - begins < 1


def test_error_of_the_engine_reaches_the_app_with_keys() -> None:
    error = NotFoundError("There is no dataset to train on.", "", "Freeze one: distill-tui curate freeze")
    assert as_distill_error(error).next == "Freeze one: 4 z"


def test_every_command_that_the_engine_advises_has_keys_or_is_only_in_a_shell() -> None:
    named = {
        found[1]
        for path in ENGINE.rglob("*.py")
        if path.relative_to(ENGINE).parts[0] not in ("cli", "bundled")
        for found in re.finditer(
            r"[`: (]distill-tui ((?:jobs|curate|questions|rules|prompt|runs|models|projects) [a-z]+|[a-z]+)\b",
            path.read_text(),
        )
    }
    assert len(named) > 20
    assert named - _KEYS.keys() <= ONLY_IN_A_SHELL


def test_key_that_is_punctuation_is_quoted_in_a_sentence_and_plain_in_the_footer() -> None:
    assert in_app("Correct the base URL: distill-tui settings") == "Correct the base URL: “,”"
    assert key_of("workspace.settings") == ","
