"""Copying inside a real tmux: the text reaches the outer terminal, whatever tmux lets through."""

import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from engine.paths import Home
from tests.e2e.conftest import environment

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="this machine has no tmux")

COPY = """
import os
from pathlib import Path
from tui.services.tmux import load_buffer
from tui.terminal.abilities import abilities_in
from tui.terminal.clipboard import copy

class Terminal:
    abilities = abilities_in(os.environ)
    tell_tmux = staticmethod(load_buffer)
    send = staticmethod(lambda sequence: print(end=sequence, flush=True))

print(copy(Terminal(), "Grüße"), flush=True)
input()
"""


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "tmux"
    yield path
    subprocess.run(["tmux", "-S", str(path), "kill-server"], check=False, capture_output=True)


@pytest.mark.parametrize("set_clipboard", ["external", "on", "off"])
@pytest.mark.parametrize("passthrough", ["on", "off"])
def test_copied_text_arrives_for_every_tmux_setting(
    home: Home, tmp_path: Path, socket: Path, set_clipboard: str, passthrough: str
) -> None:
    settings = tmp_path / "tmux.conf"
    settings.write_text(
        f"set -g set-clipboard {set_clipboard}\nset -g allow-passthrough {passthrough}\n"
        "set -as terminal-features ',xterm*:clipboard'\n"
    )
    env = {name: value for name, value in environment(home).items() if name != "TMUX"}
    args = ["-S", str(socket), "-f", str(settings), "new-session", sys.executable, "-c", COPY]
    outer = pexpect.spawn("tmux", args, env=env, dimensions=(24, 200), timeout=30)
    outer.expect_exact("kept in its buffer")
    sent = outer.before
    buffer = subprocess.run(["tmux", "-S", str(socket), "show-buffer"], check=True, capture_output=True).stdout
    assert buffer.decode() == "Grüße"
    outer.send("\r")
    outer.expect(pexpect.EOF)
    sent += outer.before
    copied = re.findall(rb"\x1b\]52;[a-z]*;([A-Za-z0-9+/=]+)(?:\x07|\x1b\\\\)", sent)
    assert {b64decode(text).decode() for text in copied} == {"Grüße"}
