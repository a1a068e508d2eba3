"""Puts text into the buffer of the tmux that the program runs in: tmux's own defaults let no program inside it do so by
what it sends to the terminal.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping

_ANSWERS_WITHIN_S = 1.0


def load_buffer(text: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether tmux took the text; since its version 3.2 it passes it on to the terminal's clipboard."""
    tmux = shutil.which("tmux")
    # Without this the tmux of another session would be asked, or one of another machine.
    if tmux is None or not environment.get("TMUX"):
        return False
    try:
        done = subprocess.run(
            [tmux, "load-buffer", "-w", "-"], input=text.encode(), capture_output=True, timeout=_ANSWERS_WITHIN_S,
            env=dict(environment), check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
