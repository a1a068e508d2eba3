"""The one way in which messages become token ids, for training, evaluation, serving and export alike.

Reads a model folder's own tokenizer and chat template with `tokenizers` and Jinja; imports no model library. A default
system prompt that the template inserts is detected, reported and removed from the template itself.
Knows nothing of models, versions of prompts or losses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from engine.errors import ContextError, ModelError
from engine.model.chat_template import ChatTemplate
from engine.model.folder import ModelFolder, read_model_folder
from engine.model.turn_texts import TurnTexts
from engine.records.prompt import Message, Prompt

_NOT_WHOLE = "\ufffd"  # what invalid or incomplete bytes decode to
# Questions that start as differently as possible, so that their renderings share only what belongs to the prompt.
_PROBES: tuple[tuple[Message, ...], ...] = (
    (Message("user", "a"),),
    (Message("user", "\n\n- 7"),),
    (Message("user", " ¿Qué?"),),
    (Message("user", "Zebra"), Message("assistant", "9"), Message("user", "(")),
)


@dataclass(frozen=True, slots=True, eq=False)
class ChatFormat:
    """A model's tokenizer and chat template. All ids are plain lists of int."""

    folder: Path
    template: str  # the Jinja template in use, without any default system block: what a release must carry
    default_system: str | None  # the system prompt that the folder's own template would insert
    without_thinking: bool  # that template would let the model think before it answers; here it never does
    stop_ids: frozenset[int]
    context_length: int  # maximum number of ids read, in training, evaluation and serving alike
    declared_context_length: int  # maximum that the model accepts, though it reads long inputs differently
    _chat: ChatTemplate
    _tokenizer: Tokenizer
    _verbatim: Tokenizer  # treats control tokens in a text as plain text
    _special_ids: frozenset[int]
    _stop_id: int  # ends an assistant turn

    @classmethod
    def load(cls, folder: Path) -> "ChatFormat":
        """Read the tokenizer and template of a model folder. Raises `ModelError` if one is missing or unusable."""
        files = read_model_folder(folder)
        chat = ChatTemplate.detect(files.chat_template, files.special_tokens)
        tokenizer, verbatim = _tokenizer_of(files), _tokenizer_of(files)
        for each in (tokenizer, verbatim):
            # A folder may ship truncation or padding left over from its training: nothing is cut silently here.
            each.no_truncation()
            each.no_padding()
        verbatim.encode_special_tokens = True
        special_ids = frozenset(i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special)
        stop_id = _stop_id(chat, tokenizer, files, special_ids)
        stop_ids = files.stop_ids | {stop_id}
        return cls(
            folder=folder,
            template=chat.source,
            default_system=chat.default_system,
            without_thinking=chat.without_thinking,
            stop_ids=stop_ids,
            context_length=files.context_length,
            declared_context_length=files.declared_context_length,
            _chat=chat,
            _tokenizer=tokenizer,
            _verbatim=verbatim,
            _special_ids=special_ids,
            _stop_id=stop_id,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """How the template and context length used here differ from the folder's own, one sentence each."""
        notes = []
        if self.default_system is not None:
            what = f"the system prompt “{self.default_system}”" if self.default_system else "an empty system message"
            notes.append(f"The model's own template inserts {what}; it is removed.")
        if self.without_thinking:
            notes.append("The model can think before it answers; here its thinking block stays empty and untrained.")
        if self.context_length < self.declared_context_length:
            notes.append(
                f"The context is limited to {self.context_length:,} tokens, although the model accepts "
                f"{self.declared_context_length:,}: beyond that, how it reads a prompt depends on the total length."
            )
        return tuple(notes)

    @property
    def begin_token(self) -> str:
        """The text of the begin-of-text token, if the folder names one."""
        return self._chat.begin_token

    @property
    def turn_texts(self) -> TurnTexts | None:
        """What the template writes around messages; None if it does more than that."""
        return TurnTexts.of(self._chat)

    def question_text(self, messages: Sequence[Message]) -> str:
        """The prompt-free text, generation prompt included. Raises `ModelError` for a system message."""
        if any(message.role == "system" for message in messages):
            raise ModelError(
                "A question contains a system message.",
                "The student is trained, evaluated and served without one.",
                "Move the text into the prompt or into the question itself.",
            )
        return self._chat.render(messages)

    def question_ids(self, messages: Sequence[Message]) -> list[int]:
        """The prompt-free ids up to the start of the answer."""
        return self._encode(self.question_text(messages))

    def prompted_ids(self, prompt: Prompt, messages: Sequence[Message]) -> list[int]:
        """The ids of the prompt and the question, up to the start of the answer: what the teacher reads."""
        return self._encode(self._chat.render((*prompt.messages, *messages)))

    def prompt_prefix_ids(self, prompt: Prompt, *, single_turn: bool = False) -> list[int]:
        """The longest prefix that `prompted_ids` of all questions share: it is computed once for all of them.

        With `single_turn`, of all questions of one message. Templates that put the system message into the last user
        turn (Mistral's) share hardly anything between questions of one message and of several.
        """
        probes = [probe for probe in _PROBES if len(probe) == 1 or not single_turn]
        first, *others = (self.prompted_ids(prompt, probe) for probe in probes)
        shared = first[: min(_common_length(first, other) for other in others)]
        # A last token that is not special might merge with the first letters of a question.
        return shared if not shared or shared[-1] in self._special_ids else shared[:-1]

    def prompt_tokens(self, prompt: Prompt) -> int:
        """The tokens that the prompt adds to every request: its messages and what the template writes around them."""
        question = _PROBES[0]
        return len(self.prompted_ids(prompt, question)) - len(self.question_ids(question))

    def completion_ids(self, answer: str) -> list[int]:
        """The ids of an answer with its stop token. Control tokens spelt out in the answer stay plain text."""
        return [*self._answer_ids(answer), self._stop_id]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of completion ids, without the stop tokens that end it."""
        return self.text_of(self._without_stop(ids))

    def text_of(self, ids: Sequence[int]) -> str:
        """The text of any ids, with every control token spelt out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    def ends_whole(self, ids: Sequence[int]) -> bool:
        """Whether the text of these ids ends with a whole character."""
        return not self.text_of(ids).endswith(_NOT_WHOLE)

    def text_after(self, ids: Sequence[int], token: int) -> str:
        """What `token` adds to the text of completion ids: decoded alone, it may lose its leading space."""
        return self.decode((*ids, token))[len(self.decode(ids)) :]

    def token_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """For each completion token, its (start, end) in `decode(ids)`; stop tokens get an empty span at the end.

        Tokens that share one character (a UTF-8 sequence in pieces) all span it.
        """
        kept = self._without_stop(ids)
        text = self.decode(ids)
        ends = [0]
        for count in range(1, len(kept) + 1):
            part, known = self._tokenizer.decode(kept[:count], skip_special_tokens=False), ends[-1]
            if part[:known] == text[:known]:  # one comparison for the known part, because answers can be long
                known += _common_length(part[known:], text[known : len(part)])
            ends.append(known)
        ends[-1] = len(text)
        spans = [
            (start, next((end for end in ends[i + 1 :] if end > start), start)) for i, start in enumerate(ends[:-1])
        ]
        return spans + [(len(text), len(text))] * (len(ids) - len(kept))

    def text_stream(self) -> Callable[[Sequence[int]], str]:
        """Return a function that turns ids, as they are produced, into whole characters; stop tokens add nothing.

        It accepts any ids: the stream of `tokenizers` fails on bytes that are not text, which models do produce.
        """
        held: list[int] = []  # the ids of the last piece returned, and of characters that are not complete yet
        emitted = 0  # how many of them belong to that piece

        def step(token: int) -> str:
            nonlocal emitted
            held.append(token)
            before, now = (self._tokenizer.decode(part, skip_special_tokens=False) for part in (held[:emitted], held))
            if len(now) <= len(before) or now.endswith(_NOT_WHOLE):
                return ""
            del held[:emitted]
            emitted = len(held)
            return now[len(before) :]

        return lambda ids: "".join(step(token) for token in ids if token not in self.stop_ids)

    def check_length(self, ids: Sequence[int], what: str) -> None:
        """Raise `ContextError`, naming `what` and the limit, if `ids` do not fit the context."""
        if len(ids) > self.context_length:
            raise ContextError(
                f"{what} does not fit the model's context.",
                f"It takes {len(ids)} tokens; the limit is {self.context_length}.",
                "Shorten the prompt, the question or the answer, or choose a model with a longer context.",
            )

    def _answer_ids(self, answer: str) -> list[int]:
        """The ids of `answer` in its context: tokenised alone, it might start with a space that nobody wrote."""
        lead = self._encode(self._chat.assistant_lead)
        whole = self._encode(self._chat.assistant_lead + answer)
        ids = whole[len(lead) :]
        if whole[: len(lead)] == lead and self._special_ids.isdisjoint(ids):
            return ids
        return _ids(self._verbatim, answer)

    def _encode(self, text: str) -> list[int]:
        return _ids(self._tokenizer, text)

    def _without_stop(self, ids: Sequence[int]) -> list[int]:
        end = len(ids)
        while end and ids[end - 1] in self.stop_ids:
            end -= 1
        return list(ids[:end])


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of a text. Encoded as a batch of one, because a plain `encode` blocks other threads."""
    return list(tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)


def _tokenizer_of(files: ModelFolder) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(files.tokenizer))
    except Exception as error:  # the library raises nothing more specific
        raise ModelError(
            "Cannot read the model's tokenizer.", f"{files.tokenizer}: {error}.", "Download the model again."
        ) from error


def _stop_id(chat: ChatTemplate, tokenizer: Tokenizer, files: ModelFolder, special: frozenset[int]) -> int:
    """Return the token with which the template ends an assistant turn, else the model's end-of-sequence token.

    Where only the next turn ends an answer (GLM), it is the token that opens a user's turn, if that is declared an end.
    """
    for token in _ids(tokenizer, chat.assistant_tail):
        if token in files.stop_ids or token in special:
            return token
    for token in _ids(tokenizer, chat.next_lead):
        if token in files.stop_ids:
            return token
    if not files.stop_ids:
        raise ModelError(
            "The model has no stop token.",
            f"Neither the chat template nor the configuration in {files.folder} names one.",
            "Choose an instruction-tuned model with a chat template.",
        )
    return min(files.stop_ids)


def _common_length(first: Sequence[int] | str, second: Sequence[int] | str) -> int:
    limit = min(len(first), len(second))
    return next((i for i in range(limit) if first[i] != second[i]), limit)
