"""API keys: bound to their host, found in four places, readable only by their owner."""

import errno
import os
import stat
from pathlib import Path

import keyring
import pytest
from keyring.errors import NoKeyringError

from engine.errors import EndpointError, StoreError, UsageError
from engine.paths import Home
from engine.redact import redact
from engine.teachers.keys import KEYLESS, bind_variable, check_address, find_key, key_for, key_place, save_key

OPENAI = "https://api.openai.com/v1"
OTHER = "https://llm.example.com:8443/v1"
LOCAL = "http://127.0.0.1:8000/v1"


@pytest.fixture(autouse=True)
def empty_keyring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    stored: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "get_password", lambda service, host: stored.get((service, host)))
    return stored


@pytest.mark.parametrize(
    "address",
    ["ftp://x/v1", "x.example/v1", "http://x.example/v1", "http://0.0.0.0/v1", "https://u:secret1@x.example/v1",
     "https://x.example/v1?api_key=secret1", "https://x.example:port/v1", "", "http://127.0.0.1.evil.example/v1"],
)  # fmt: skip
def test_unsafe_address_is_refused_without_repeating_its_password(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_address(address)
    assert "secret1" not in str(caught.value)


@pytest.mark.parametrize("address", [OPENAI, LOCAL, "http://localhost:1/v1", "http://[::1]:8000/v1", "https://x/v1/"])
def test_safe_address_loses_only_its_trailing_slash(address: str) -> None:
    assert check_address(address) == address.rstrip("/")


def test_openai_key_is_used_only_for_openai(monkeypatch: pytest.MonkeyPatch, private_home: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-000000000000")
    home = Home.locate()
    assert find_key(OPENAI, home) == "sk-openai-000000000000"
    for address in (OTHER, LOCAL, "https://api.openai.com.evil.example/v1", "https://api.openai.com:444/v1"):
        assert find_key(address, home) is None


def test_openai_key_is_used_for_the_host_of_openai_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proxy-0000000000000")
    monkeypatch.setenv("OPENAI_BASE_URL", OTHER)
    assert find_key(OTHER, Home.locate()) == "sk-proxy-0000000000000"


def test_variable_can_be_bound_to_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_KEY", "wk-1234567890")
    monkeypatch.setenv("DISTILL_TUI_API_KEY_LLM_EXAMPLE_COM_8443", "")
    bind_variable(OTHER, "WORK_KEY")
    assert find_key(OTHER, Home.locate()) == "wk-1234567890"
    assert find_key(OPENAI, Home.locate()) is None
    with pytest.raises(UsageError, match="NO_SUCH_KEY"):
        bind_variable(OTHER, "NO_SUCH_KEY")


def test_keyring_is_used_and_may_be_missing(
    monkeypatch: pytest.MonkeyPatch, empty_keyring: dict[tuple[str, str], str]
) -> None:
    empty_keyring["distill-tui", "llm.example.com:8443"] = "kr-1234567890"
    assert find_key(OTHER, Home.locate()) == "kr-1234567890"

    def broken(service: str, host: str) -> str:
        raise NoKeyringError("no keyring here")

    monkeypatch.setattr(keyring, "get_password", broken)
    assert find_key(OTHER, Home.locate()) is None


def test_saved_key_is_private_found_and_masked() -> None:
    home = Home.locate()
    save_key(OTHER, "an-older-key-123", home)
    file = save_key(OTHER, "the-newer-key-123", home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert find_key(OTHER, home) == "the-newer-key-123"
    assert find_key(OPENAI, home) is None
    assert "the-newer-key-123" not in redact("refused: the-newer-key-123")


def test_failed_save_keeps_the_older_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_full_disk(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    home = Home.locate()
    file = save_key(OTHER, "an-older-key-123", home)
    monkeypatch.setattr("engine.paths.os.fsync", fail_full_disk)
    with pytest.raises(StoreError, match="No space left"):
        save_key(OTHER, "the-newer-key-123", home)
    assert find_key(OTHER, home) == "an-older-key-123"
    assert list(file.parent.iterdir()) == [file]


def test_key_file_readable_by_others_is_refused() -> None:
    home = Home.locate()
    save_key(OTHER, "the-key-1234567", home).chmod(0o640)
    with pytest.raises(EndpointError, match="chmod 600"):
        find_key(OTHER, home)


def test_symlink_in_place_of_a_key_file_is_not_followed(tmp_path: Path) -> None:
    home = Home.locate()
    file = save_key(OTHER, "the-key-1234567", home)
    (tmp_path / "elsewhere").write_text("stolen-key-123")
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    assert find_key(OTHER, home) is None


@pytest.mark.parametrize("address", ["https://h:99999/v1", "https://[h/v1", "http://llm.example.com/v1"])
def test_no_key_is_looked_up_for_an_unsafe_address(address: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        key_for(address, Home.locate())


def test_place_of_a_key_is_named_and_the_key_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.locate()
    assert (key_place(OTHER, home), key_place(LOCAL, home)) == (None, "none is needed on this machine")
    file = save_key(OTHER, "in-the-file-1234", home)
    assert key_place(OTHER, home) == str(file)
    monkeypatch.setattr(keyring, "get_password", lambda service, host: "in-the-keyring-1234")
    assert key_place(OTHER, home) == "the keyring"
    assert "in-the-keyring-1234" not in redact("refused: in-the-keyring-1234")
    monkeypatch.setenv("DISTILL_TUI_API_KEY_LLM_EXAMPLE_COM_8443", "in-the-variable-1234")
    assert key_place(OTHER, home) == "DISTILL_TUI_API_KEY_LLM_EXAMPLE_COM_8443"


def test_key_is_needed_except_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.locate()
    assert key_for(LOCAL, home) == KEYLESS
    with pytest.raises(EndpointError, match="DISTILL_TUI_API_KEY_LLM_EXAMPLE_COM_8443"):
        key_for(OTHER, home)
    monkeypatch.setenv("DISTILL_TUI_API_KEY_LLM_EXAMPLE_COM_8443", "two\nlines-of-header")
    with pytest.raises(EndpointError) as caught:
        key_for(OTHER, home)
    assert "lines-of-header" not in str(caught.value)
