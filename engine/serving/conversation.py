"""Turns a request's messages into the ids that an arm reads, as in training and evaluation (`chat_format`).

Arms without the prompt accept a client's own system message, placed before the question by the model's template: a
served student can still be steered, and the reply records that it was. Arms with the project's prompt refuse one,
because two system messages would make an arm that nobody measured. Knows nothing of HTTP.
"""

from collections.abc import Sequence

from engine.errors import ContextError, ModelError
from engine.model.chat_format import ChatFormat
from engine.records.prompt import Message, Prompt
from engine.serving.catalog import ServedArm
from engine.serving.requests import RequestRefusedError

LONGEST_UNASKED = 1024  # answer tokens if the client sets no limit and they fit the context


class Conversation:
    """Reads conversations with one model's format."""

    def __init__(self, chat_format: ChatFormat) -> None:
        self._format = chat_format
        self._prefixes: dict[tuple[str, bool], tuple[int, ...]] = {}

    def ids(self, arm: ServedArm, messages: Sequence[Message]) -> tuple[list[int], tuple[int, ...]]:
        """Return all ids before the answer, and the prefix of them that every question with this prompt shares.

        Raises `RequestRefusedError` for a conversation that the arm or the template does not accept.
        """
        has_system = messages[0].role == "system"
        try:
            if arm.prompt is not None:
                if has_system:
                    raise RequestRefusedError(
                        f"{arm.choice.name!r} uses the project's prompt and accepts no other system message. "
                        "Ask an arm without the prompt, such as 'unprompted'.",
                        code="system_message_not_supported",
                        param="messages[0]",
                    )
                prefix = self._prefix(arm.prompt, single_turn=len(messages) == 1)
                return self._format.prompted_ids(arm.prompt, messages), prefix
            if has_system:
                return self._format.prompted_ids(Prompt(tuple(messages[:1])), messages[1:]), ()
            return self._format.question_ids(messages), ()
        except ModelError as error:
            raise RequestRefusedError(str(error), param="messages") from error

    def room(self, ids: Sequence[int], asked: int | None) -> int:
        """Return how many tokens the answer may have. Raises `ContextError` if the limit asked for does not fit."""
        left = self._format.context_length - len(ids)
        if asked is None:
            asked = max(1, min(LONGEST_UNASKED, left))
        if asked > left:
            raise ContextError(
                "The conversation with its answer does not fit the model's context.",
                f"The conversation takes {len(ids)} tokens and the answer up to {asked}; the limit is "
                f"{self._format.context_length}.",
                "Shorten the conversation, or ask for a shorter answer.",
            )
        return asked

    def _prefix(self, prompt: Prompt, *, single_turn: bool) -> tuple[int, ...]:
        key = prompt.sha256, single_turn
        if key not in self._prefixes:
            kept = {other: ids for other, ids in self._prefixes.items() if other[0] == prompt.sha256}
            self._prefixes = {**kept, key: tuple(self._format.prompt_prefix_ids(prompt, single_turn=single_turn))}
        return self._prefixes[key]
