"""A model's Jinja chat template: rendered in a sandbox, and freed of a default system prompt that it slips in.

The environment is the one in which transformers renders templates, so that every server that reads the exported
template writes the same bytes. Knows nothing of tokens.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import ModelError
from engine.records.prompt import Message

# Words that no template contains, and that survive trimming.
_SYSTEM, _USER, _ASSISTANT, _NEXT = "qxsystemqx", "qxuserqx", "qxassistantqx", "qxnextqx"


@dataclass(frozen=True, slots=True, eq=False)
class ChatTemplate:
    """A template in use: `source` is what a release must carry."""

    source: str
    default_system: str | None
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
        source = source.removesuffix("\n")
        original = cls(source, None, "", True, _compile(source), special_tokens)
        before, _, after = original.render((Message("user", _USER),)).partition(_USER)
        turns = (Message("user", _USER), Message("assistant", _ASSISTANT))
        tail = original.render(turns, generation_prompt=False).partition(_ASSISTANT)[2]
        between = original.render((*turns, Message("user", _NEXT))).partition(_ASSISTANT)[2].partition(_NEXT)[0]
        keeps_system, system_lead = original._system_lead()
        begin_token = special_tokens.get("bos_token", "")
        if between.endswith(before) or (begin_token and between.endswith(before.removeprefix(begin_token))):
            # The first user's turn opens like every other one, after the begin-of-text token at most.
            return cls(source, None, tail, keeps_system, original._compiled, special_tokens)
        if not between.startswith(tail):  # some templates end a finished conversation with one more token
            tail = tail.removesuffix(special_tokens.get("eos_token", ""))
        head = between.removeprefix(tail)
        lead = before.removesuffix(head)
        begin = _begin(lead, head, begin_token)
        default = _default_text(lead.removeprefix(begin), system_lead)
        wrapped = _without_default_block(source, begin, head)
        found = cls(wrapped, default, tail, keeps_system, _compile(wrapped), special_tokens)
        if not head or head in lead or found.render((Message("user", _USER),)) != begin + head + _USER + after:
            raise ModelError(
                "The model's chat template slips in a system prompt that cannot be taken out.",
                f"It writes: {default}",
                "Choose another model, or give its template an empty default.",
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
                messages=[{"role": message.role, "content": message.content} for message in messages],
                add_generation_prompt=generation_prompt,
                **self._special_tokens,
            )
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise ModelError(
                "The model's chat template refuses this conversation.",
                f"It says: {error}",
                "Check that user and assistant messages alternate, or choose another model.",
            ) from error

    def _system_lead(self) -> tuple[bool, str]:
        """Whether a system message is kept, and the text from the start up to it."""
        try:
            text = self.render((Message("system", _SYSTEM), Message("user", _USER)))
        except ModelError:
            return False, ""
        return _SYSTEM in text, text.partition(_SYSTEM)[0]


def _begin(lead: str, head: str, begin_token: str) -> str:
    """The begin-of-text token where the template writes one; a turn may begin with the very same token."""
    if not begin_token or not lead.startswith(begin_token):
        return ""
    return "" if head.startswith(begin_token) and not lead.startswith(begin_token * 2) else begin_token


def _without_default_block(source: str, begin: str, head: str) -> str:
    """A template that writes what `source` does, less all that stands between `begin` and the first user's turn."""
    # The plus keeps spaces that end the original; a conversation with tools needs the block that describes them.
    return (
        "{% set rendered %}" + source + "{%+ endset %}"
        "{% if messages[0]['role'] == 'user' and not tools %}"
        "{{ " + _literal(begin + head) + " ~ rendered.split(" + _literal(head) + ", 1)[1] }}"
        "{% else %}{{ rendered }}{% endif %}"
    )  # fmt: skip


def _default_text(block: str, system_lead: str) -> str:
    """The words of a default block: without the marks that stand around a system message, where they are known."""
    opening = next((system_lead[i:] for i in range(len(system_lead)) if block.startswith(system_lead[i:])), "")
    return block.removeprefix(opening).partition("<|")[0].strip() or block.strip()


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _GenerationTag(Extension):
    """`{% generation %}` marks an assistant's text in some templates; it writes its body."""

    tags = {"generation"}  # noqa: RUF012 (as Jinja declares it)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _compile(source: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
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
