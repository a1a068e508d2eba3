"""A model's Jinja chat template: rendered in a sandbox, and freed of a default system prompt that it slips in.

No arm thinks before it answers: a template's own switch is turned off, and a thinking block that it opens is written
empty and closed (arXiv 2504.09858), so thinking tokens stand in no completion and in no loss. The environment is the
one in which transformers renders templates, so that every server that reads the exported template writes the same
bytes; only its clock stands still. Knows nothing of tokens.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import ModelError
from engine.records.prompt import Message, as_plain

# Words that no template contains, and that survive trimming.
_SYSTEM, USER, ASSISTANT, NEXT = "qxsystemqx", "qxuserqx", "qxassistantqx", "qxnextqx"
_OPEN, _CLOSE = "<think>", "</think>"
# Writes nothing, and keeps the blanks and line ends beside it that a block would swallow. llama.cpp knows no `{%+`.
_KEEP = "{{ '' }}"
# Whoever asks for thinking gets none either: llama.cpp's server asks by itself, and the student has never thought.
_NO_THINKING = "{% set enable_thinking = false %}" + _KEEP
# What the expressions of a template raise. Nothing bounds its time, nor its memory but the system.
_FAULTS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError)
_MARK = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
# The date that Llama's templates fall back to. With today's date the prompted text, and all that was computed behind
# it, would be another one after midnight; a student that sees no date could not follow it anyway.
_CLOCK = datetime(2024, 7, 26, tzinfo=UTC)
_ANOTHER_DAY = datetime(2031, 11, 3, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class ChatTemplate:
    """A template in use: `source` is what a release must carry."""

    source: str
    default_system: str | None
    without_thinking: bool  # the folder's own template would let the model think before it answers
    assistant_lead: str  # what stands between a user's text and the answer
    assistant_tail: str  # what follows an assistant's text
    keeps_system: bool  # a system message is accepted, and its text appears
    _compiled: jinja2.Template
    _special_tokens: dict[str, str]

    @classmethod
    def detect(cls, source: str, special_tokens: dict[str, str]) -> "ChatTemplate":
        """Compile `source`, find out how it writes turns, and take a default system block out of it.

        Raises `ModelError` where the template cannot be compiled or cannot write a plain conversation.
        """
        # Jinja drops one newline at the end of a template; once wrapped it would no longer be at the end.
        given = source.removesuffix("\n")
        bare = _bare(_without_thinking(given, special_tokens), special_tokens)
        before, question, lead = bare.render(QUESTION).partition(USER)
        if not question:
            raise ModelError(
                "The model's chat template leaves the question out.",
                "It was given a user's message, and does not write its text.",
                "Choose another model, or mend its template.",
            )
        known = replace(bare, without_thinking=bare.source != given, assistant_lead=lead)
        found = known.without_default(before)
        if found.render(QUESTION) != _bare(found.source, special_tokens, _ANOTHER_DAY).render(QUESTION):
            raise ModelError(
                "The model's chat template writes today's date into every question.",
                "The student would read another text each day than the one that it was trained on.",
                "Choose another model, or take the date out of its template.",
            )
        return found

    def render(self, messages: Sequence[Message], *, generation_prompt: bool = True) -> str:
        """The conversation as text. Raises `ModelError` where the template refuses it or drops its system message."""
        system = messages[0].content if messages and messages[0].role == "system" else None
        if system is not None and not self.keeps_system:
            raise ModelError(
                "The model's chat template has no place for a system message.",
                "It refuses the system role, or leaves its text out.",
                "Put the instructions into the prompt's first example turn, or choose another model.",
            )
        try:
            return self._compiled.render(
                messages=as_plain(messages),
                add_generation_prompt=generation_prompt,
                **self._special_tokens,
            )
        except (jinja2.TemplateError, *_FAULTS) as error:
            raise ModelError(
                "The model's chat template refuses this conversation.",
                f"It says: {error}" if str(error) else f"It ends in {type(error).__name__}.",
                "Check that user and assistant messages alternate, or choose another model.",
            ) from error

    @property
    def begin_token(self) -> str:
        """As the folder names it; empty where it does not."""
        return self._special_tokens.get("bos_token", "")

    def without_default(self, before: str) -> "ChatTemplate":
        """The same with tail and place of a system message found out, and without a default system block.

        `before` is what stands before the first user's text. Raises `ModelError` where the block cannot be taken out.
        """
        turns = (Message("user", USER), Message("assistant", ASSISTANT))
        tail = self.render(turns, generation_prompt=False).partition(ASSISTANT)[2]
        between = self.render((*turns, Message("user", NEXT))).partition(ASSISTANT)[2].partition(NEXT)[0]
        around = self.around_system()
        known = replace(self, assistant_tail=tail, keeps_system=around is not None)
        begin_token = self.begin_token
        if between.endswith(before) or (begin_token and between.endswith(before.removeprefix(begin_token))):
            # The first user's turn opens like every other one, after the begin-of-text token at most.
            return known
        if not between.startswith(tail):  # some templates end a finished conversation with one more token
            tail = tail.removesuffix(self._special_tokens.get("eos_token", ""))
        head = between.removeprefix(tail)
        lead = before.removesuffix(head)
        begin = _begin(lead, head, begin_token)
        default = _default_text(lead.removeprefix(begin), *(around or ("", "")), head)
        wrapped = _without_default_block(self.source, begin, head)
        found = replace(
            known, source=wrapped, default_system=default, assistant_tail=tail, _compiled=_compile(wrapped, _CLOCK)
        )
        if not head or head in lead or found.render(QUESTION) != begin + head + USER + self.assistant_lead:
            raise ModelError(
                "The model's chat template slips in a system prompt that cannot be taken out.",
                f"It writes: {default}",
                "Choose another model, or give its template an empty default.",
            )
        return found

    def around_system(self) -> tuple[str, str] | None:
        """The text before a system message and the text from there to the user's; None where none is kept."""
        try:
            text = self.render((Message("system", _SYSTEM), *QUESTION))
        except ModelError:
            return None
        before, found, after = text.partition(_SYSTEM)
        return (before, after.partition(USER)[0]) if found else None


QUESTION = (Message("user", USER),)


def _bare(source: str, special_tokens: dict[str, str], clock: datetime = _CLOCK) -> ChatTemplate:
    """A template of which nothing is known yet."""
    return ChatTemplate(source, None, False, "", "", True, _compile(source, clock), special_tokens)


def _without_thinking(source: str, special_tokens: dict[str, str]) -> str:
    """The template with its switch for thinking off, and with no thinking block left open."""
    if "enable_thinking" in source:
        source = _NO_THINKING + source
    lead = _bare(source, special_tokens).render(QUESTION).partition(USER)[2]
    if lead.rfind(_OPEN) <= lead.rfind(_CLOSE):
        return source
    closing = _literal(f"\n{_CLOSE}\n\n")
    return source + _KEEP + "{% if add_generation_prompt %}{{ " + closing + " }}{% endif %}"


def _begin(lead: str, head: str, begin_token: str) -> str:
    """The begin-of-text token where the template writes one; a turn may begin with the very same token."""
    if not begin_token or not lead.startswith(begin_token):
        return ""
    return "" if head.startswith(begin_token) and not lead.startswith(begin_token * 2) else begin_token


def _without_default_block(source: str, begin: str, head: str) -> str:
    """A template that writes what `source` does, less all that stands between `begin` and the first user's turn."""
    # A conversation with tools needs the block that describes them.
    return (
        "{% set rendered %}" + source + _KEEP + "{% endset %}"
        "{% if messages[0]['role'] == 'user' and not tools %}"
        "{{ " + _literal(begin + head) + " ~ rendered.split(" + _literal(head) + ", 1)[1] }}"
        "{% else %}{{ rendered }}{% endif %}"
    )  # fmt: skip


def _default_text(block: str, system_lead: str, system_tail: str, head: str) -> str:
    """The words of a default block: without the marks that stand around a system message, where they are known."""
    opening = next((system_lead[i:] for i in range(len(system_lead)) if block.startswith(system_lead[i:])), "")
    words = block.removeprefix(opening).removesuffix(system_tail.removesuffix(head)).strip()
    # A template that adds a default text to every system message has no such words: the longest piece is its.
    return words or max(_MARK.split(block), key=len).strip()


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _GenerationTag(Extension):
    """`{% generation %}` marks an assistant's text in some templates; it writes its body."""

    tags = {"generation"}  # noqa: RUF012 (as Jinja declares it)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _compile(source: str, clock: datetime) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = clock.strftime
    try:
        return environment.from_string(source)
    except jinja2.TemplateError as error:
        raise ModelError(
            "The model's chat template cannot be read.", f"{error}", "Choose another model, or mend its template."
        ) from error


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
