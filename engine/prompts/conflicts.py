"""Demands of one prompt that contradict or repeat each other. Pure.

Two demands are compared only if they apply to the same answers: neither depends on a condition, and both are under the
same narrowing heading or under none. Duplicates have the same content words in any order, with the same numbers and
the same negation.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations

from engine.prompts.checkable import checks_of
from engine.prompts.demands import Demand
from engine.records.finding import Finding
from engine.records.rule import Check
from engine.rules.language import language_name
from engine.scripts import stem

MOST_COMPARED = 400  # demands; nobody keeps a longer prompt consistent by hand

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[^\w\s.,;:!?«»“”\"'()]")
_TELLING_NOTHING = (
    "a an and any are as at be been by do does each every for from has have in is it its must of on or please shall "
    "should so that the their them then they this to was were will with you your always never not no don't don’t "
    "cannot can't avoid only also make sure ensure using use"
)
_SILENT = frozenset(_TELLING_NOTHING.split())
_SAME = {
    "reply": "answer", "replies": "answer", "response": "answer", "responses": "answer", "respond": "answer",
    "answers": "answer", "output": "answer", "short": "brief", "concise": "brief", "succinct": "brief",
    "customer": "user", "customers": "user", "users": "user", "begin": "start", "open": "start", "finish": "end",
    "close": "end", "mention": "say", "state": "say", "write": "answer",
}  # fmt: skip
_ABOUT_ANSWERS = (
    r"\A(?:please |always |you (?:must|should) )*"
    r"(?:be|stay|keep|write|answer|reply|respond|give|use|sound|explain)\b.{0,40}"
)


def _asking_for(words: str) -> "re.Pattern[str]":
    return re.compile(rf"{_ABOUT_ANSWERS}\b(?:{words})\b", re.IGNORECASE)


_OPPOSITES = (
    (
        _asking_for("brief|short|concise|succinct|terse"),
        _asking_for("detailed|thorough|thoroughly|comprehensive|exhaustive|in depth|in detail|long answers?|at length"),
    ),
    (_asking_for("formal|formally"), _asking_for("casual|casually|informal|informally|slang")),
)


def find_conflicts(demands: Sequence[Demand]) -> Iterator[Finding]:
    """Yield contradictions and duplicates, each at the later of the two demands; at most one finding per pair.

    A demand that is repeated many times is compared at its first place; each repeat gives one finding only.
    """
    further: set[int] = set()
    for (at, one), (place, other) in combinations(enumerate(demands[:MOST_COMPARED]), 2):
        if one.scope != other.scope or at in further or place in further:
            continue
        if (
            content_stems(one.text) == content_stems(other.text)
            and len(content_stems(one.text)) >= 2
            and one.conditional == other.conditional
        ):
            if one.negative == other.negative:
                further.add(place)
                problem = f"It repeats line {one.line}: “{one.text}”."
                yield Finding("duplicate", other.line, other.text, problem, "Keep one of the two.", one.line)
            else:
                yield _contradiction(one, other, "one requires what the other forbids")
        elif not one.conditional and not other.conditional and (why := _why(one, other)):
            yield _contradiction(one, other, why)


def _contradiction(one: Demand, other: Demand, why: str) -> Finding:
    problem = f"It contradicts line {one.line}, “{one.text}”: {why}."
    return Finding(
        "contradiction", other.line, other.text, problem, "Keep one of them, or say when each applies.", one.line
    )


def _why(one: Demand, other: Demand) -> str:
    """Return why no answer can satisfy both demands; empty if one can."""
    for first in checks_of(one.text):
        for second in checks_of(other.text):
            if why := clash(first, second) or clash(second, first):
                return why
    for left, right in _OPPOSITES:
        if one.negative or other.negative:
            break
        for here, there in ((one.text, other.text), (other.text, one.text)):
            if left.search(here) and right.search(there) and not (right.search(here) or left.search(there)):
                return "the two pull in opposite directions"
    return ""


def clash(one: Check, other: Check) -> str:
    """Return why no answer can pass both checks; empty if one may. Considers the pair in this order only."""
    match one.kind, other.kind:
        case "length", "length" if one.unit == other.unit:
            if one.min is not None and other.max is not None and one.min > other.max:
                return f"the minimum of {one.min} {one.unit} exceeds the maximum of {other.max}"
        case "language", "language" if one.code != other.code:
            return f"an answer cannot be in both {language_name(one.code)} and {language_name(other.code)}"
        case "starts_with", "starts_with" if not (one.text.startswith(other.text) or other.text.startswith(one.text)):
            return "an answer can start in one way only"
        case "ends_with", "ends_with" if not (one.text.endswith(other.text) or other.text.endswith(one.text)):
            return "an answer can end in one way only"
        case "json", "starts_with" if other.text.strip()[:1] not in tuple('{["-0123456789tfn'):
            return f"JSON cannot start with “{other.text}”"
        case "json", "ends_with" if other.text.strip()[-1:] not in tuple('}]"0123456789el'):
            return f"JSON cannot end with “{other.text}”"
        case (("starts_with" | "ends_with" | "contains"), "forbidden"):
            if banned := next((text for text in other.texts if text.casefold() in one.text.casefold()), None):
                return f"“{banned}” is part of “{one.text}”"
        case "label", ("starts_with" | "ends_with" | "contains"):
            if not one.pattern and not any(other.text.casefold() in label.casefold() for label in one.labels):
                return f"no label contains “{other.text}”"
        case "label", "label" if not {label.casefold() for label in one.labels} & {
            label.casefold() for label in other.labels
        }:
            return "they have no label in common"
    return ""


@lru_cache(maxsize=1_024)
def content_stems(text: str) -> frozenset[str]:
    """Return the stems of a sentence's content words, without function words and the words that only give an order."""
    words = _WORD.findall(text.casefold())
    return frozenset(stem(_SAME.get(word, word)) for word in words if word not in _SILENT)
