"""Where in the prompt a rule comes from: a guess from the words that both share. Pure; nothing depends on it.

In a system message, the sentence that shares the most distinctive words with the rule and its check is chosen; the
fewer sentences contain a word, the more distinctive it is. If no sentence is close enough, an example turn may show
what the rule requires: there, the characters that its check finds are chosen. Otherwise, there is no place.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.records.prompt import Message
from engine.records.rule import Check, Rule, Span
from engine.rules.checks import check_answer
from engine.rules.units import unit_spans
from engine.scripts import stem

TURNS_LOOKED_AT = 20  # a pattern may take up to a second on each

_WORD = re.compile(r"\w+")
_LITERAL = re.compile(r"[^\W\d_]{3,}")  # the parts of a pattern that are text for certain, and not syntax
_NEAR = 0.34  # minimum share of the rule's distinctive words
_COUNTED = "one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {word: str(number) for number, word in enumerate(_COUNTED.split(), start=1)}
_TELLING_NOTHING = (
    "a an and any are as at be but by can do does every for from has have if in is it its may must never no not of on "
    "only or out shall should so such than that the their them then they this to under up use was were what when which "
    "while who will with you your all always answer answers begin begins end ends start starts say says nothing "
    "anything"
)
_COMMON = frozenset(_TELLING_NOTHING.split())


@dataclass(frozen=True, slots=True)
class Place:
    """The characters `span` of the message at index `message`."""

    message: int
    span: Span


def locate_rule(rule: Rule, messages: Sequence[Message]) -> tuple[Place, ...]:
    """Return the places that `rule` seems to come from, in order; empty if nothing is close enough."""
    for index, message in enumerate(messages):
        if message.role == "system" and (span := _nearest_sentence(rule, message.content)) is not None:
            return (Place(index, span),)
    return _shown_in_turns(rule, messages)


def _nearest_sentence(rule: Rule, text: str) -> Span | None:
    sentences = unit_spans(text, "sentences")
    words = [_stems(text[span.start : span.end]) for span in sentences]
    held_by = Counter(word for found in words for word in found)
    own = _stems(rule.text)
    wanted = own | _stems(" ".join(_words_of(rule.check)))

    def weight(word: str) -> float:
        return math.log(1 + len(sentences) / held_by[word]) if held_by[word] else 0.5

    all_of_it = sum(map(weight, wanted))
    best, nearest = 0.0, None
    for span, found in zip(sentences, words, strict=True):
        shared, verbatim = wanted & found, _verbatim(rule.check, text[span.start : span.end])
        if not verbatim and len(shared) < 2 and not own <= found:
            continue  # one word in common may be chance
        near = (sum(map(weight, shared)) / all_of_it if all_of_it else 0.0) + verbatim
        if near > best:
            best, nearest = near, span
    return nearest if best >= _NEAR else None


def _verbatim(check: Check, sentence: str) -> float:
    """The bonus for a sentence that contains a text of the check verbatim, which is stronger evidence than a word."""
    asked = [text for text in (check.text, *check.texts, *check.labels) if len(text.strip()) >= 2]
    named = check.kind == "json" and "json" in sentence.casefold()
    return 0.5 * (named or any(text.strip() in sentence for text in asked))


def _words_of(check: Check) -> list[str]:
    """The words that a prompt would use to ask for what the check tests."""
    wanted = [check.text, *check.texts[:8], *check.labels, *_LITERAL.findall(check.pattern)]
    if check.kind == "length":
        wanted += [check.unit, *(str(limit) for limit in (check.min, check.max) if limit is not None)]
    if check.kind == "json":
        wanted.append("json")
    return wanted


def _stems(text: str) -> frozenset[str]:
    words = _WORD.findall(text.casefold())
    return frozenset(stem(_NUMBERS.get(word, word)) for word in words if word not in _COMMON)


def _shown_in_turns(rule: Rule, messages: Sequence[Message]) -> tuple[Place, ...]:
    answers = [(index, message.content) for index, message in enumerate(messages) if message.role == "assistant"]
    places: list[Place] = []
    for index, answer in answers[:TURNS_LOOKED_AT]:
        try:
            results = check_answer((rule,), answer)
        except UsageError:  # a check that cannot be run requires nothing
            return ()
        places += [Place(index, span) for result in results if result.passed for span in result.fixed]
    return tuple(places)
