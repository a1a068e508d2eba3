"""The prompt's exact token count, from a separate process: loading a tokenizer would block drawing for 0.2 s.

The process is the program itself, `prompt show --json`. Until it has answered, the count is an estimate.
"""

import threading
from concurrent.futures import Future
from pathlib import Path
from typing import cast

from engine.economics.tokens import TokenCount, estimate_prompt_tokens
from engine.paths import Home
from engine.records.prompt import Prompt
from engine.store.dataclass_json import build
from tui.services.failing import failing_to
from tui.services.program import carry_out


class PromptTokens:
    """Counts the current prompt of one project for its student."""

    def __init__(self, folder: Path, home: Home) -> None:
        self._folder = folder
        self._home = home
        self._asked: tuple[object, ...] = ()
        self._answer: Future[TokenCount | None] | None = None

    def of(self, prompt: Prompt, *reasons: object) -> TokenCount:
        """The best count known now. Counted again when the prompt or one of `reasons` changes."""
        asked = (prompt.sha256, *reasons)
        if asked != self._asked:
            self._asked, self._answer = asked, self._begin()
        counted = self._answer.result() if self._answer is not None and self._answer.done() else None
        return counted or estimate_prompt_tokens(prompt)

    @property
    def counted(self) -> tuple[object, ...]:
        """What was counted, once the last requested count has arrived; empty before."""
        return self._asked if self._answer is not None and self._answer.done() else ()

    def _begin(self) -> Future[TokenCount | None]:
        answer: Future[TokenCount | None] = Future()

        def work() -> None:
            with failing_to(lambda _error: answer.set_result(None)):  # the estimate remains, marked as such
                answer.set_result(self._count())

        # A daemon thread: quitting does not wait for it.
        threading.Thread(target=work, name="tokens", daemon=True).start()
        return answer

    def _count(self) -> TokenCount | None:
        counts = cast("list[object]", carry_out(["prompt", "show"], self._folder, self._home)["tokens"])
        return build(TokenCount, counts[0])
