"""`keys save`: a key goes into one file that only its owner can read, and is never shown."""

import os
import shlex
import stat
from pathlib import Path

import pexpect
import pytest

from engine.paths import Home
from tests.engine.cli.calling import PROGRAM, fail, succeed

URL = "https://llm.example.com:8443/v1"
KEY = "sk-canary-9876543210zyxwvutsrq"


def test_key_is_read_from_stdin_and_never_printed(home: Home) -> None:
    for args in (("keys", "save", URL), ("keys", "save", URL, "--json")):
        done = succeed(*args, input=f"{KEY}\n")
        assert KEY not in done.out + done.err
        file = home.config / "keys" / "llm.example.com_8443"
        assert file.read_text() == f"{KEY}\n"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert str(file) in done.out


@pytest.mark.parametrize("address", ["http://llm.example.com/v1", "nowhere", f"https://me:{KEY}@llm.example.com/v1"])
def test_unsafe_address_is_refused(address: str, private_home: Path) -> None:
    assert KEY not in str(fail("keys", "save", address, input=KEY))
    assert not private_home.exists()


@pytest.mark.parametrize("key", [b"", b"  \n", b"\xff"], ids=["nothing", "blank", "not UTF-8"])
def test_empty_or_undecodable_key_is_refused(key: bytes, private_home: Path) -> None:
    fail("keys", "save", URL, input=key)
    assert not private_home.exists()


def test_piped_key_is_read_even_on_a_terminal(home: Home) -> None:
    line = f"echo {KEY} | {shlex.quote(PROGRAM)} keys save {URL}"
    shell = pexpect.spawn("/bin/sh", ["-c", line], env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=60)
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0
    assert (home.config / "keys" / "llm.example.com_8443").read_text() == f"{KEY}\n"


def test_key_typed_on_a_terminal_is_not_echoed(home: Home) -> None:
    terminal = pexpect.spawn(PROGRAM, ["keys", "save", URL], env={**os.environ, "LC_ALL": "C.UTF-8"}, timeout=60)
    terminal.expect_exact("Key:")
    terminal.waitnoecho()
    terminal.sendline(KEY)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert KEY.encode() not in terminal.before
    assert (home.config / "keys" / "llm.example.com_8443").read_text() == f"{KEY}\n"
