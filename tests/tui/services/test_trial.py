"""What is read from the process that tries a prompt."""

import json

import pytest

from engine.errors import JobError
from tui.services.trial import TriedAnswer, TriedRule, _read

ROW = {"question": "Open?", "answer": "Yes.", "rules": [{"id": 1, "passed": False, "note": "too short"}]}


def test_answers_and_notes_are_read() -> None:
    assert _read(json.dumps(ROW)) == TriedAnswer("Open?", "Yes.", (TriedRule(1, False, "too short"),))
    assert _read('{"note": "loading the model"}') == "loading the model"


@pytest.mark.parametrize(
    "line",
    [
        "not JSON",
        "[]",
        "null",
        '{"question": "Open?"}',
        json.dumps(ROW | {"rules": [{"id": 1, "passed": "no", "note": ""}]}),
        json.dumps(ROW | {"answer": None}),
    ],
)
def test_line_of_another_shape_is_reported(line: str) -> None:
    found = _read(line)
    assert isinstance(found, JobError)
    assert found.title == "An answer could not be read."
