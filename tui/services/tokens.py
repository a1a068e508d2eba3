"""Exact token counts of prompts, from separate processes: loading a tokenizer would block drawing for 0.2 s.

Such a process is the program itself. Until it has answered, the count is an estimate.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from engine.economics.tokens import TokenCount, estimate_prompt_tokens
from engine.paths import Home
from engine.records.prompt import Prompt
from engine.store.dataclass_json import build
from tui.services.failing import failing_to
from tui.services.program import carry_out


class PromptTokens:
    """Keeps the counts of prompts, and has one more made at a time; `arrived` is called after each."""

    def __init__(self, arrived: Callable[[], object] = lambda: None) -> None:
        self._arrived = arrived
        self._counts: dict[tuple[object, ...], TokenCount] = {}
        self._counting = threading.Lock()

    def of(self, prompt: Prompt, count: Callable[[], TokenCount], *reasons: object) -> TokenCount:
        """The best count known now. `count` makes the exact one, once for each prompt and `reasons`."""
        estimated, key = estimate_prompt_tokens(prompt), (prompt.sha256, *reasons)

        def work() -> None:
            found = estimated  # it remains if counting fails, marked as such
            with failing_to(lambda _error: None):
                found = count()
            self._counting.release()  # first: whoever sees the new count may ask for the next one
            self._counts[key] = found
            self._arrived()

        if key not in self._counts and self._counting.acquire(blocking=False):
            # A daemon thread: quitting does not wait for it.
            threading.Thread(target=work, name="tokens", daemon=True).start()
        return self._counts.get(key, estimated)

    @property
    def counted(self) -> int:
        """How many counts have arrived."""
        return len(self._counts)


def count_for_student(folder: Path, home: Home, version: int) -> TokenCount:
    """Count a version of a project's prompt for its student."""
    words = ["prompt", "show", "--version", str(version)]
    counts = cast("list[object]", carry_out(words, folder, home)["tokens"])
    return build(TokenCount, counts[0])
