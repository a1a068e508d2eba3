"""One teacher as a plain function from messages to an answer: for trying a prompt and for writing questions.

Knows nothing of projects or the store; its answers are not saved.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.errors import TeacherError
from engine.paths import Home
from engine.records.example import Usage
from engine.records.options import TeacherSpec
from engine.records.prompt import Message, Prompt
from engine.seeds import answer_seed
from engine.teachers.keys import key_for

if TYPE_CHECKING:
    from engine.model.local_model import LocalModel
    from engine.model.prompt_cache import PromptCache


def ask(
    spec: TeacherSpec,
    home: Home,
    *,
    temperature: float = 0.7,
    max_tokens: int = 512,
    seed: int = 0,
    on_cut: Callable[[str], str] = str,
    on_note: Callable[[str], None] | None = None,
    on_billed: Callable[[Usage], None] | None = None,
) -> Callable[[Sequence[Message]], str]:
    """Return a function that answers a list of messages ending with the user's.

    A local model is loaded on the first call and kept; each call uses a different seed, so the same messages can give
    another answer. An answer cut off at `max_tokens` is passed through `on_cut`. `on_note` receives a sentence before
    each retry, and before and after a model is loaded; `on_billed` the usage that the endpoint bills. Calls raise
    `EndpointError`, `ModelError`, `TeacherError`.
    """
    if spec.kind == "endpoint":
        key, has_answered = key_for(spec.base_url, home), False

        async def ask_once(messages: Sequence[Message]) -> str:
            nonlocal has_answered
            from engine.teachers.endpoint import EndpointTeacher  # the client library takes a second to import

            async with EndpointTeacher(spec, key, concurrency=1, on_note=on_note, on_billed=on_billed) as teacher:
                teacher.has_answered = has_answered
                answer = await teacher.answer(messages, temperature=temperature, max_tokens=max_tokens)
                has_answered = True
            return on_cut(answer.text) if answer.finish_reason == "length" else answer.text

        return lambda messages: asyncio.run(ask_once(messages))
    return _LocalAnswers(spec.model, home, temperature, max_tokens, seed, on_cut, on_note)


class _LocalAnswers:
    """Answers with the local model; the messages before the last are read once and cached."""

    def __init__(
        self,
        model: str,
        home: Home,
        temperature: float,
        max_tokens: int,
        seed: int,
        on_cut: Callable[[str], str],
        on_note: Callable[[str], None] | None,
    ) -> None:
        self._model = model
        self._home = home
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._seed = seed
        self._on_cut = on_cut
        self._on_note = on_note or (lambda _: None)
        self._calls = 0
        self._local: LocalModel | None = None
        self._prefix: tuple[Prompt, PromptCache] | None = None

    def __call__(self, messages: Sequence[Message]) -> str:
        local = self._loaded()
        from engine.model.decode import decode

        prompt = Prompt(tuple(messages[:-1]))
        self._calls += 1
        (decoded,) = decode(
            local,
            [local.format.prompted_ids(prompt, messages[-1:])],
            prefix=self._prefix_of(local, prompt),
            temperature=self._temperature,
            max_new_tokens=self._max_tokens,
            seeds=[answer_seed(self._seed, 0, self._calls)],
        )
        answer = local.format.decode(decoded.ids)
        if not answer.strip():
            raise TeacherError("The teacher's answer is empty.", f"Model {self._model}.", "Ask again.")
        return self._on_cut(answer) if decoded.finish_reason == "length" else answer

    def _loaded(self) -> "LocalModel":
        if self._local is None:
            self._on_note(f"Loading {self._model} …")
            started = time.monotonic()
            from engine.model.load import load_base  # the model library takes seconds to import
            from engine.model.locate import locate_base

            self._local = load_base(locate_base(self._model, self._home))
            self._on_note(f"Loaded {self._model} in {time.monotonic() - started:.0f} s.")
        return self._local

    def _prefix_of(self, local: "LocalModel", prompt: Prompt) -> "PromptCache":
        from engine.model.prompt_cache import PromptCache

        if self._prefix is None or self._prefix[0] != prompt:
            prefix = local.format.prompt_prefix_ids(prompt, single_turn=True)
            self._prefix = (prompt, PromptCache.build(local, prefix))
        return self._prefix[1]
