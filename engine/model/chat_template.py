"""A model's Jinja chat template, rendered in a sandbox and stripped of any default system prompt that it inserts.

No arm thinks before it answers: the template's own switch is turned off, and a thinking block that it opens is closed
at once, empty (arXiv 2504.09858), so that no completion and no loss contains thinking tokens. The environment is that
of transformers, so that every server that reads the exported template writes the same bytes; only the clock is fixed.
Knows nothing of tokens.
"""

import itertools
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
# Writes nothing, and keeps adjacent whitespace that a block would swallow. llama.cpp does not support `{%+`.
_KEEP = "{{ '' }}"
# How templates ask whether the model should think. Setting it overrides a client's request: llama.cpp's server makes it
# by default, and the student never learned to.
_SWITCHES = {
    "enable_thinking": re.compile("enable_thinking"),
    "reasoning": re.compile(r"\breasoning is (not )?(un)?defined"),
}
# Some templates for images (SmolVLM's) take a list of parts, as servers write it, and nothing else.
_CONTENT_AS_PARTS = (
    "{% set given = namespace(messages=[]) %}{% for message in messages %}{% set given.messages = given.messages + "
    "[{'role': message.role, 'content': [{'type': 'text', 'text': message.content}]} "
    "if message.content is string else message] %}{% endfor %}{% set messages = given.messages %}"
)
# What the expressions of a template may raise. Its time is not limited, and its memory only by the system.
_FAULTS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError)
_MARK = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
_MARKS_ALONE = re.compile(r"([<〈\[][^<>〈〉\[\]\s]+[>〉\]])+")
_EMPTY_THOUGHT = re.compile(r"<[^<>\s]*think[^<>\s]*>\s*<[^<>\s]*think[^<>\s]*>", re.IGNORECASE)
_PROSE_WORDS = 3  # so many words that a template begins an answer with are more than the name of a block
# The date that Llama's templates fall back to. With today's date, the prompted text and everything computed from it
# would change at midnight; a student that sees no date could not follow it anyway.
_CLOCK = datetime(2024, 7, 26, tzinfo=UTC)
_ANOTHER_DAY = datetime(2031, 11, 3, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class ChatTemplate:
    """A template in use: `source` is what a release must carry."""

    source: str
    default_system: str | None
    without_thinking: bool  # the folder's own template would let the model think before it answers
    assistant_lead: str  # what is between a user's text and the answer
    assistant_tail: str  # what follows an assistant's text
    next_lead: str  # and from there to the text of the user's next turn
    keeps_system: bool  # a system message is accepted, and its text appears
    _compiled: jinja2.Template
    _special_tokens: dict[str, str]

    @classmethod
    def detect(cls, source: str, special_tokens: dict[str, str]) -> "ChatTemplate":
        """Compile `source`, find out how it writes turns, and remove any default system block.

        Raises `ModelError` if the template cannot be compiled or cannot write a plain conversation.
        """
        # Jinja drops one newline at the end of a template; once wrapped, it would no longer be at the end.
        given = _taking_text(source.removesuffix("\n"), special_tokens)
        quiet = _without_thinking(given, special_tokens)
        whole = _with_opening(quiet, special_tokens)
        bare = _bare(whole, special_tokens)
        before, question, lead = bare.render(QUESTION).partition(USER)
        if not question:
            raise ModelError(
                "The model's chat template leaves the question out.",
                "Given a user message, it does not write its text.",
                "Choose another model, or fix its template.",
            )
        thinks = quiet != given or "think" in whole.removeprefix(quiet)
        known = replace(bare, without_thinking=thinks, assistant_lead=lead)
        found = known.without_default(before)
        if found.render(QUESTION) != _bare(found.source, special_tokens, _ANOTHER_DAY).render(QUESTION):
            raise ModelError(
                "The model's chat template writes today's date into every question.",
                "Every day, the student would read a different text from the one it was trained on.",
                "Choose another model, or remove the date from its template.",
            )
        return found

    def render(self, messages: Sequence[Message], *, generation_prompt: bool = True) -> str:
        """Render the conversation. Raises `ModelError` if the template refuses it or drops its system message."""
        system = messages[0].content if messages and messages[0].role == "system" else None
        if system is not None and not self.keeps_system:
            raise ModelError(
                "The model's chat template has no place for a system message.",
                "It refuses the system role, or leaves out its text.",
                "Put the instructions into the prompt's first example turn, or choose another model.",
            )
        try:
            return self._compiled.render(
                messages=as_plain(messages),
                tools=None,  # as transformers passes them: to some templates, undefined is not none
                documents=None,
                add_generation_prompt=generation_prompt,
                **self._special_tokens,
            )
        except (jinja2.TemplateError, *_FAULTS) as error:
            raise ModelError(
                "The model's chat template refuses this conversation.",
                f"It says: {error}" if str(error) else f"It fails with {type(error).__name__}.",
                "Check that user and assistant messages alternate, or choose another model.",
            ) from error

    @property
    def begin_token(self) -> str:
        """The begin-of-text token that the folder names; empty if it names none."""
        return self._special_tokens.get("bos_token", "")

    def without_default(self, before: str) -> "ChatTemplate":
        """Return the template with its assistant tail and system support known, and without a default system block.

        `before` is the text before the first user's text. Raises `ModelError` if the block cannot be removed.
        """
        turns = (Message("user", USER), Message("assistant", ASSISTANT))
        tail = self.render(turns, generation_prompt=False).partition(ASSISTANT)[2]
        between = self.render((*turns, Message("user", NEXT))).partition(ASSISTANT)[2].partition(NEXT)[0]
        around = self.around_system()
        known = replace(
            self, assistant_tail=tail, next_lead=between.removeprefix(tail), keeps_system=around is not None
        )
        begin_token = self.begin_token
        if between.endswith(before) or (begin_token and between.endswith(before.removeprefix(begin_token))):
            # The first user turn opens like every other one, at most preceded by the begin-of-text token.
            return known
        if not between.startswith(tail):  # some templates end a finished conversation with one more token
            tail = tail.removesuffix(self._special_tokens.get("eos_token", ""))
        head = between.removeprefix(tail)
        if not before.endswith(head):  # the mark that ends an answer is only written before the next turn
            head = _common_opening(before, between)
            tail = between.removesuffix(head)
        if (ends := _MARK.match(self.assistant_lead)) is not None:
            head = head.removeprefix(ends[0])  # what ends a user's turn may end an assistant's too
        lead = before.removesuffix(head)
        if around is not None and around[0].startswith(lead) and _MARKS_ALONE.fullmatch(lead):
            return replace(known, assistant_tail=tail, next_lead=head)  # these marks (GLM's) open every conversation
        begin = _begin(lead, head, begin_token)
        default = _default_text(lead.removeprefix(begin), *(around or ("", "")), head)
        wrapped = _without_default_block(self.source, begin, head)
        found = replace(
            known, source=wrapped, default_system=default, assistant_tail=tail, next_lead=head,
            _compiled=_compile(wrapped, _CLOCK),
        )  # fmt: skip
        if not head or head in lead or found.render(QUESTION) != begin + head + USER + self.assistant_lead:
            raise ModelError(
                "The model's chat template inserts a system prompt that cannot be removed.",
                f"It writes: {default}",
                "Choose another model, or give its template an empty default.",
            )
        return found

    def around_system(self) -> tuple[str, str] | None:
        """The texts before a system message and between it and the user's text; None if system messages are dropped."""
        try:
            text = self.render((Message("system", _SYSTEM), *QUESTION))
        except ModelError:
            return None
        before, found, after = text.partition(_SYSTEM)
        return (before, after.partition(USER)[0]) if found else None


QUESTION = (Message("user", USER),)


def _bare(source: str, special_tokens: dict[str, str], clock: datetime = _CLOCK) -> ChatTemplate:
    """Return a template about which nothing is known yet."""
    return ChatTemplate(source, None, False, "", "", "", True, _compile(source, clock), special_tokens)


def _taking_text(source: str, special_tokens: dict[str, str]) -> str:
    """Return a template that takes messages whose content is a text, also if this one takes only lists of parts."""
    converted = _CONTENT_AS_PARTS + source
    takes_parts = not _asks(source, special_tokens) and _asks(converted, special_tokens)
    return converted if takes_parts else source


def _asks(source: str, special_tokens: dict[str, str]) -> bool:
    """Whether the template writes a user's text."""
    try:
        return USER in _bare(source, special_tokens).render(QUESTION)
    except ModelError:
        return False


def _without_thinking(source: str, special_tokens: dict[str, str]) -> str:
    """Return the template with its thinking switch off and no thinking block left open."""
    for switch, question in _SWITCHES.items():
        if question.search(source):
            source = f"{{% set {switch} = false %}}{_KEEP}{source}"
    lead = _bare(source, special_tokens).render(QUESTION).partition(USER)[2]
    if lead.rfind(_OPEN) <= lead.rfind(_CLOSE):
        return source
    closing = _literal(f"\n{_CLOSE}\n\n")
    return source + _KEEP + "{% if add_generation_prompt %}{{ " + closing + " }}{% endif %}"


def _with_opening(source: str, special_tokens: dict[str, str]) -> str:
    """Return the template with a generation prompt that ends where the text of an answer begins.

    Some leave marks before it to the model (gpt-oss its channel, Kimi K2 its thinking block), which then could choose
    others. Raises `ModelError` for a template that begins every answer with prose that its own answers lack.
    """
    bare = _bare(source, special_tokens)
    lead = given = bare.render(QUESTION).partition(USER)[2]
    answered = bare.render((*QUESTION, Message("assistant", ASSISTANT)), generation_prompt=False)
    told, written, _ = answered.partition(USER)[2].partition(ASSISTANT)
    if not written:  # a template that drops answers shows no opening
        return source
    if not told.startswith(lead):
        lead, told = _EMPTY_THOUGHT.sub("", lead), _EMPTY_THOUGHT.sub("", told)
    added = lead[_common_length(lead, told) :]
    if len(_MARK.sub(" ", added).split()) >= _PROSE_WORDS:
        raise ModelError(
            "The model's chat template begins every answer with a text of its own.",
            f"It writes: {added.strip()}",
            "Choose a model that answers without it, or remove it from the template.",
        )
    rest = told.removeprefix(lead) if told.startswith(lead) else ""
    if not rest.strip() or given.endswith(rest):
        return source
    return source + _KEEP + "{% if add_generation_prompt %}{{ " + _literal(rest) + " }}{% endif %}"


def _common_opening(before: str, between: str) -> str:
    """Return the end that both texts before a user's have in common, from its first mark on; empty if there is none."""
    common = between[len(between) - _common_length(before[::-1], between[::-1]) :]
    mark = _MARK.search(common)
    return common[mark.start() :] if mark is not None else ""


def _common_length(one: str, other: str) -> int:
    """Return the length of the beginning that two texts have in common."""
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)


def _begin(lead: str, head: str, begin_token: str) -> str:
    """Return the begin-of-text token if the template writes one; turns may start with the same token."""
    if not begin_token or not lead.startswith(begin_token):
        return ""
    return "" if head.startswith(begin_token) and not lead.startswith(begin_token * 2) else begin_token


def _without_default_block(source: str, begin: str, head: str) -> str:
    """Return a template that writes what `source` does, except what is between `begin` and the first user turn."""
    # A conversation with tools needs the block that describes them.
    return (
        "{% set rendered %}" + source + _KEEP + "{% endset %}"
        "{% if messages[0]['role'] == 'user' and not tools %}"
        "{{ " + _literal(begin + head) + " ~ rendered.split(" + _literal(head) + ", 1)[1] }}"
        "{% else %}{{ rendered }}{% endif %}"
    )  # fmt: skip


def _default_text(block: str, system_lead: str, system_tail: str, head: str) -> str:
    """Return the text of a default block, without the marks around a system message if they are known."""
    opening = next((system_lead[i:] for i in range(len(system_lead)) if block.startswith(system_lead[i:])), "")
    words = block.removeprefix(opening).removesuffix(system_tail.removesuffix(head)).strip()
    # If the template adds a default text to every system message, nothing is left: take the longest piece instead. A
    # single word is the role of an empty message.
    longest = max(_MARK.split(block), key=len).strip()
    return words or (longest if len(longest.split()) > 1 else "")


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _GenerationTag(Extension):
    """`{% generation %}`, which marks an assistant's text in some templates, writes its body."""

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
            "Cannot read the model's chat template.", f"{error}", "Choose another model, or fix its template."
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
