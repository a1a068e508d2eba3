"""Secrets are masked; ordinary text is kept."""

import json

import pytest

from engine import redact as module
from engine.redact import MASK, redact, register_secret, without_keys


@pytest.fixture(autouse=True)
def no_registered_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_registered", set())


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "DISTILL_TUI_API_KEY_LOCALHOST",
        "ANTHROPIC_API_KEY",
        "PGPASSWORD_TOKEN",
        "AZURE_OPENAI_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "DB_PASSWD",
    ],
)
def test_values_of_key_variables_are_masked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, 'canary"0123\\456')
    assert redact('key canary"0123\\456!') == f"key {MASK}!"
    assert json.loads(redact(json.dumps({"key": 'canary"0123\\456'}))) == {"key": MASK}


def test_placeholders_and_other_variables_are_not_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    monkeypatch.setenv("LANGUAGE_OF_CHOICE", "portuguese")
    assert redact("EMPTY portuguese") == "EMPTY portuguese"


def test_registered_secrets_are_masked_longest_first() -> None:
    register_secret("abcdefgh")
    register_secret("abcdefgh-and-more")
    assert redact("abcdefgh-and-more abcdefgh") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("sk-proj-abcdefghijklmnop_0123", MASK),
        ("Incorrect API key: hf_abcdefghijklmnopqrst.", f"Incorrect API key: {MASK}."),
        ("authorization: Bearer abc.def-ghi", f"authorization: Bearer {MASK}"),
        ("https://me:hunter2@example.org/v1", f"https://{MASK}@example.org/v1"),
        ("https://me:half@half@example.org/v1", f"https://{MASK}@example.org/v1"),
        ("https://:hunter2@example.org", f"https://{MASK}@example.org"),
        ("https://token@example.org", f"https://{MASK}@example.org"),
        ("AIzaSyA0123456789012345678901234567890", MASK),
    ],
)
def test_text_that_looks_like_a_key_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "task-management-of-many-things-at-once",
        "sk-short",
        "the bearer of bad news",
        "http://localhost:8000/v1",
        "a@b.c: hi",
        '{"url":"https://example.org","mail":"me@example.org"}',
        "https://example.org/a: write to me@example.org",
    ],
)
def test_ordinary_text_is_kept(text: str) -> None:
    assert redact(text) == text


def test_foreign_programs_get_no_key_but_the_hub_token() -> None:
    kept = {"PATH": "/bin", "HF_TOKEN": "hf"}
    keys = {"OPENAI_API_KEY": "k", "DISTILL_TUI_API_KEY_HOST": "k", "GITHUB_TOKEN": "k"}
    assert without_keys({**kept, **keys}) == kept
