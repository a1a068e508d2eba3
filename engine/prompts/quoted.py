"""The checks that a sentence asks for by quoting a text: how an answer starts, how it ends and what it contains.

A text may have placeholders, and the sentence may list what they stand for: “`CASE: NAME`, where NAME is one of …”.
Also how quoted texts and lists are read in English. Pure; knows nothing of prompts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from engine.prompts.demands import is_demand
from engine.records.rule import Check

# What a sentence asks for: a check, or None for a part that no check tests.
Reading = Iterator[Check | None]

PART = re.compile(
    r"\b(?:each|every|per)\b(?! (?:answer|reply|response|output|message)\b)|\b(?:titles?|subjects?|headlines?|bullets?"
    r"|items?|headings?|summar(?:y|ies)|paragraphs?|sections?|fields?|columns?|rows?|values?|quotes?|quotations?|steps?"
    r"|followed by|then|after (?:that|it|the)|points?|reason|explanation|examples?|questions?|first|last|name"
    r"|sentences? (?:of|with|under|that|should|must)|average)\b",
    re.IGNORECASE,
)
_PAIRS = (("«", "»"), ("“", "”"), ('"', '"'), ("`", "`"), ("‘", "’"))
QUOTED = re.compile(
    "|".join(rf"{open_}([^{open_}{close}\n]{{1,200}}){close}" for open_, close in _PAIRS)
    + r"|(?<![\w’'])'([^'\n]{1,120})'(?!\w)"
)
BETWEEN = r"(?:\s+(?:the|an?|exactly|literally|always|exact|one of|of|these|this|following|any|like)){0,3}"
THING = r"(?:\s+(?:words?|text|phrases?|lines?|sentences?|characters?|signature|greeting|link|prefix|suffix|heading))?"
_BEGINS = re.compile(
    rf"\b(?:begins?|starts?|opens?)\b(?:\s+[\w’']+){{0,4}}?\s+(?:with|by)\b{BETWEEN}{THING}[:\s]+", re.IGNORECASE
)
_ENDS = re.compile(
    rf"\b(?:ends?|finish(?:es)?|closes?|sign(?:s|ed)?(?:\s+off)?)\b(?:\s+[\w’']+){{0,4}}?\s+(?:with|by|as)\b{BETWEEN}"
    rf"{THING}[:\s]+",
    re.IGNORECASE,
)
_DASHED = re.compile(r"[—–]\s?[A-Z][\w ’'&-]{0,40}(?=[.!]?$)")
_HOLDS = re.compile(
    rf"\b(?:include|includes|contain|contains|mention|mentions|add|adds|state|states|insert)\b{BETWEEN}{THING}[:\s]+",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"<[^<>\n]{1,40}>|\{\{?[^{}\n]{1,40}\}\}?|\[[^\[\]\n]{1,40}\]|…|\.\.\.")
_NAMED = r"(?:where|with|and)(?: the)?"
_EXPLAINS = rf"{_NAMED} (?P<name>[A-Za-z][\w-]*) (?:is|are|stands for|means|being|=)\s+"
_EXPLAINED = re.compile(rf"\b{_EXPLAINS}(?P<what>(?:(?!\b{_EXPLAINS.replace('?P<name>', '?:')})[^.;])+)")
_RANGE = re.compile(r"(?:an? )?(?:whole )?(?:number |digit )?(?:from |between )?(\d{1,3})\s*(?:-|–|to|and)\s*(\d{1,3})")
_ENDED = re.compile(r"\s*(?:,(?!\s*(?:or\b|\d))|\Z)")  # a range that no further value follows
_ANYTHING = r"[^\n]+?"
_NUMERIC = re.compile(r"n|number|score|count|\d+", re.IGNORECASE)
_ONE_OF = r"(?:exactly )?(?:one of|either)(?:[^:;.«“\"`]{0,40}:|(?: the)?)\s+"
_FOLLOWED = re.compile(rf",?\s*(?:followed by|then|and|plus) {_ONE_OF}(?P<values>[^;]+)", re.IGNORECASE)
_MORE = re.compile(
    r",?\s*(?:(?:and|plus|followed by|then|with)\b(?! no(?:thing)?\b)|on (?:its|an?|the)\b"
    r"|in (?:bold|italics|capitals))\s*|,\s*(?=(?:the|an?|your|their)\b)",
    re.IGNORECASE,
)
_THIRD_PERSON = re.compile(r"\A(\w+)s\b")
_JOINER = re.compile(r",\s*(?:or |and )?|\s+or\s+")
_JOINED = re.compile(r",\s*(?:or|and)\s|\sor\s")
_ITEM = re.compile(r"[\w&/-]+(?: [\w&/-]+){0,2}")


def edges(sentence: str) -> Reading:
    """Yield the texts that every answer starts or ends with, and None if more than such a text is asked for there."""
    for kind, opening in (("starts_with", _BEGINS), ("ends_with", _ENDS)):
        for found in opening.finditer(sentence):
            quoted = QUOTED.match(sentence, found.end())
            dashed = _DASHED.match(sentence, found.end()) if kind == "ends_with" else None
            text = inner(quoted) if quoted else dashed.group() if dashed else ""
            before = sentence[: found.start()]
            if not text.strip() or PART.search(before) or denied(before) or _alternative(sentence, quoted):
                continue
            rest = sentence[quoted.end() :] if quoted else ""
            followed = _FOLLOWED.match(rest) if kind == "starts_with" else None
            if followed and (labels := enumerated(followed["values"])):
                yield _labelled(text, labels)
                continue
            yield _literal(text, kind, _explained(sentence))
            if (more := _MORE.match(rest)) and not starts_clause(rest[more.end() :]):
                yield None


def contains(sentence: str) -> Reading:
    """Yield the texts that every answer contains."""
    for found in _HOLDS.finditer(sentence):
        if denied(sentence[: found.start()]) or PART.search(sentence[: found.start()]):
            continue
        texts: list[str] = []
        position: int | None = found.end()
        while position is not None and (quoted := QUOTED.match(sentence, position)) is not None:
            if _alternative(sentence, quoted):
                texts = []
                break
            texts.append(inner(quoted))
            more = _MORE.match(sentence, quoted.end()) or re.compile(r"\s*,\s*").match(sentence, quoted.end())
            position = more.end() if more else None
        yield from (_literal(text, "contains", _explained(sentence)) for text in texts)
        if texts and position is not None and not starts_clause(sentence[position:]):
            yield None


def starts_clause(text: str) -> bool:
    """Whether a text starts with a verb that demands: “name the desk”, “ends with”."""
    return is_demand(text) or is_demand(_THIRD_PERSON.sub(r"\1", text))


def enumerated(text: str) -> list[str]:
    """Return the items of a list such as “card, loan or other”, quoted or not; empty if it is anything else.

    An “and” inside an item stays: “terms and conditions, other”. Empty if it may also join the last two items.
    """
    items = [inner(quoted).strip() for quoted in QUOTED.finditer(text)]
    if not items:
        items = [item.strip() for item in _JOINER.split(text.strip(" .:"))]
        if len(items) == 1:
            items = re.split(r"\s+and\s+", items[0])
        elif " and " in items[-1] and not _JOINED.search(text):
            return []
        items = items if all(map(_ITEM.fullmatch, items)) else []
    items = list(dict.fromkeys(items))
    return items if 2 <= len(items) <= 30 else []


def _explained(sentence: str) -> dict[str, str]:
    """Return the pattern for each word that the sentence explains: “`ID: N`, where N is 1 to 5”.

    A word whose explanation is not understood stands for anything.
    """
    return {each["name"]: _pattern_for(each["what"]) for each in _EXPLAINED.finditer(sentence)}


def _pattern_for(explanation: str) -> str:
    """Return the pattern for the values that an explanation allows."""
    chosen = re.match(_ONE_OF, explanation, re.IGNORECASE)
    listed = (explanation[chosen.end() :] if chosen else explanation).strip(" ,")
    ranged = _RANGE.match(listed)
    if ranged:
        return _numbers(int(ranged[1]), int(ranged[2])) if _ENDED.match(listed, ranged.end()) else _ANYTHING
    items = enumerated(listed)
    words = " or " in listed and not any(" " in item for item in items)  # not “the date or time”
    if items and (chosen or words or QUOTED.match(listed)) and not any(map(_RANGE.fullmatch, items)):
        return rf"(?i:{'|'.join(map(re.escape, items))})(?!\w)"
    return _ANYTHING


def _numbers(low: int, high: int) -> str:
    if low >= high or high - low > 200:  # not a range, or too many numbers to list in a pattern
        return r"\d+"
    if high < 10:
        return f"[{low}-{high}]"
    return rf"(?:{'|'.join(map(str, range(low, high + 1)))})(?!\d)"


def _pattern_of(placeholder: str) -> str:
    """Return the pattern for a placeholder that the sentence does not explain."""
    ranged = _RANGE.fullmatch(placeholder)
    if ranged:
        return _numbers(int(ranged[1]), int(ranged[2]))
    return r"\d+" if _NUMERIC.fullmatch(placeholder) else _ANYTHING


def _literal(text: str, kind: str, explained: Mapping[str, str]) -> Check:
    """Return a check for a quoted text; a placeholder matches what the sentence or its name says, else anything."""
    text = text.strip()
    opens = kind == "starts_with"
    if opens and text.endswith(("…", "...")):
        text = text.rstrip("….")
    parts: list[str] = []
    position = 0
    words = [rf"\b{re.escape(name)}\b" for name in explained if name.isupper()]
    for found in re.finditer("|".join([_PLACEHOLDER.pattern, *words]), text):
        inside = found.group().strip("<>{}[] ")
        parts += [_escaped(text[position : found.start()]), explained.get(inside) or _pattern_of(inside)]
        position = found.end()
    if not parts:
        return Check("starts_with" if opens else "ends_with" if kind == "ends_with" else "contains", text=text)
    body = "".join([*parts, _escaped(text[position:])])
    return Check("pattern", pattern=rf"\A\s*{body}" if opens else rf"{body}\s*\Z" if kind == "ends_with" else body)


def _labelled(text: str, labels: Sequence[str]) -> Check:
    """Return the check of an answer that starts with a text and then one of the labels."""
    named = r"\w+" if all(label.isalnum() for label in labels) else "|".join(map(re.escape, labels))
    return Check("label", pattern=rf"\A\s*{_escaped(text.strip())}\s*({named})", labels=tuple(labels))


def _escaped(text: str) -> str:
    return re.escape(text).replace(r"\ ", " ")


def denied(text: str) -> bool:
    """Whether the text has a word that denies."""
    return re.search(r"\b(?:not|never|avoid|without|don['’]t|cannot|nor|refrain)\b", text, re.IGNORECASE) is not None


def _alternative(sentence: str, quoted: "re.Match[str] | None") -> bool:
    """Whether the sentence allows another text instead: “Yes” or “No”."""
    return quoted is not None and re.match(r",?\s*(?:or|and/or|/)\b", sentence[quoted.end() :]) is not None


def inner(quoted: "re.Match[str]") -> str:
    """Return the quoted text without its quotes."""
    return next(group for group in quoted.groups() if group is not None)
