"""The checks that a sentence of a prompt asks for, if its English is unambiguous. Pure and deterministic.

A demand on only a part of the answer (a title, each item), or on only some answers, gives no check: a check that a
correct answer fails is worse than none. Knows nothing of prompts.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from engine.errors import UsageError
from engine.prompts.demands import is_demand
from engine.prompts.forbidden import forbidden
from engine.prompts.quoted import PART, QUOTED, Reading, contains, denied, edges, enumerated, inner, starts_clause
from engine.records.rule import Check, LengthUnit
from engine.rules.checks import validate_check
from engine.rules.documents import MAX_TEXT_CHARACTERS
from engine.rules.language import NAMES

_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_NUMBERS = {word: number for number, word in enumerate(_COUNTED.split())} | {
    "a single": 1, "single": 1, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "eighty": 80, "hundred": 100,
    "a hundred": 100,
}  # fmt: skip
_NUMBER = r"(\d{1,5}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_UNIT = r"(word|sentence|line|character)s?\b"
_MANY = r"(?:\s+(?:short|full|complete|plain|brief|simple))?[\s-]+"
_LENGTHS: tuple[tuple[str, int | None, int | None], ...] = (
    # pattern, offset from the number to the minimum, and to the maximum; None: no limit
    (rf"\b(?:between\s+)?{_NUMBER}\s*(?:to|and|or|-|–|—)\s*{_NUMBER}{_MANY}{_UNIT}", 0, 0),
    (rf"\b(?:at most|no more than|not more than|(?:a )?max(?:imum)?(?: of)?|up to|within)\s+{_NUMBER}{_MANY}{_UNIT}",
     None, 0),
    (rf"\b(?:under|fewer than|less than|below)\s+{_NUMBER}{_MANY}{_UNIT}", None, -1),
    (rf"\b(?:exceed(?:ing)?|longer than|limit\b[\w ]{{0,40}}? to|limited to)\s+{_NUMBER}{_MANY}{_UNIT}", None, 0),
    (rf"\b{_NUMBER}{_MANY}{_UNIT}\s*(?:or (?:less|fewer)|at (?:the )?most|max(?:imum)?\b)", None, 0),
    (rf"\b(?:at least|no (?:fewer|less) than|(?:a )?min(?:imum)?(?: of)?)\s+{_NUMBER}{_MANY}{_UNIT}", 0, None),
    (rf"\b(?:more than|over)\s+{_NUMBER}{_MANY}{_UNIT}", 1, None),
    (rf"\b(?:exactly|precisely|in|only|be|as|have|has|is|write|use)\s+{_NUMBER}{_MANY}{_UNIT}", 0, 0),
)  # fmt: skip
_SECOND = re.compile(rf",? (and|or) {_NUMBER}{_MANY}{_UNIT}", re.IGNORECASE)
_LIMIT_WORD = re.compile(r"(?:more|over|under|fewer|less|below)\b", re.IGNORECASE)
_CASE = re.compile(
    r"\b(?:entirely |only |all )?in (?:all )?(lower|upper)[ -]?case(?: letters)?(?: only)?\s*[.!]?\Z", re.IGNORECASE
)
_ONE_PARAGRAPH = re.compile(
    r"\b(?:in|as|use|write)(?: only| exactly)? (?:one|a single) paragraph\s*[.!]?\Z", re.IGNORECASE
)
_JSON = re.compile(
    r"\A(?:always |only )?(?:answer|reply|respond|return|output|write|produce|give)\b(?!.*\b(?:about|on) JSON)"
    r"[^.]{0,50}?\bJSON\b(?! (?:input|file))",
    re.IGNORECASE,
)
_KEYS = re.compile(r"\b(?:keys?|fields?|properties)\b[:\s]+(?P<keys>.*)", re.IGNORECASE)
_QUOTED_KEYS = re.compile(r"\A(?: object)?:\s+(?=[«“\"`‘'])(?P<keys>.*)", re.IGNORECASE)
_KEY_JOINER = re.compile(r",\s*(?:and\s+)?|\s+and\s+")
_AFTER_KEY = re.compile(rf"\s*(?:\([^()]*\)\s*)?(?:{_KEY_JOINER.pattern})")  # “"a" (a number), "b"”
_OF_KEYS = re.compile(r"above|below|unique|optional|\w+(?:ed|case)", re.IGNORECASE)  # describes keys, names none
_FORM_OF_JSON = re.compile(r":\s|\b(?:with(?! no)|containing|keys?|fields?|properties|on (?:one|a single) line)\b")
_CLAUSE = re.compile(r"[,;:]\s+(?:(?:and|or|but|then|nor)\s+){0,2}|\s(?:and|or|but|nor)\s+(?:then\s+)?", re.IGNORECASE)
_OF_ANSWERS = re.compile(r"(?:the|an|every|each|your) (?:answer|reply|response|output|message)\b", re.IGNORECASE)
_TWO_WORDS = re.compile(r"[\w’']+ \S")
_BRIEF = re.compile(r"\b(?:brief|short|concise|succinct|terse|to the point)\b", re.IGNORECASE)
_LANGUAGES = {name.lower(): code for code, name in NAMES.items()}
_LANGUAGE = re.compile(r"\b(" + "|".join(_LANGUAGES) + r")\b", re.IGNORECASE)
_SPEAKS = re.compile(
    r"\A(?:you )?(?:must |should )?(?:please )?(?:always |only )?(?:answer|reply|respond|write|speak|translate)\b"
    r"[^.;]{0,60}?\b(?:in|into)\s+(?:\w+\s+)?\Z",
    re.IGNORECASE,
)
_LABELS = re.compile(
    r"\A(?:always |only )?(?:answer|reply|respond|output|return|say|write)\b[^:;]{0,50}?"
    r"\b(?:one of|only|just|nothing but|exactly)\b[^:;«“\"`]{0,40}?(?:one of|with|:|the words?|labels?|categories)"
    r"[^:;«“\"`]{0,30}?:?\s*(?P<labels>.+)",
    re.IGNORECASE,
)


def checks_of(sentence: str) -> tuple[Check, ...]:
    """Return the checks that `sentence`, a one-line demand, asks of every answer; none if it is ambiguous."""
    return tuple(check for check in _read(sentence) if check is not None)


def has_untested_part(sentence: str) -> bool:
    """Whether the sentence visibly demands more than `checks_of` tests: an item of a list, or another clause."""
    read = _read(sentence)
    return None in read or any(not _is_tested(clause, read) for clause in _clauses(sentence))


@lru_cache(maxsize=4_096)
def _read(sentence: str) -> tuple[Check | None, ...]:
    """Return the checks, and None for each part that no check tests or whose check could not be run."""
    if len(sentence) > MAX_TEXT_CHARACTERS:  # too long for a rule, and slow: readers look back from each match
        return ()
    checks = (check for read in _READERS for check in read(sentence))
    return tuple(dict.fromkeys(check if check is not None and _is_valid(check) else None for check in checks))


def _is_valid(check: Check) -> bool:
    try:
        validate_check(check)
    except UsageError:
        return False
    return True


def _clauses(sentence: str) -> list[str]:
    """Return the parts of a sentence that are demands of their own: “use 20 words”, “and name the desk”."""
    quoted = [found.span() for found in QUOTED.finditer(sentence)]
    labels = tuple(label for check in checks_of(sentence) for label in check.labels)
    starts = starts_clause if _OF_ANSWERS.match(sentence) else is_demand
    places = [0]
    for found in _CLAUSE.finditer(sentence):
        inside = any(start < found.end() < end for start, end in quoted)
        if inside or sentence.startswith(labels, found.end()):
            continue
        rest = sentence[found.end() :]
        if starts(rest) and _TWO_WORDS.match(sentence, found.end()):
            places.append(found.end())
    return [sentence[start:end] for start, end in pairwise([*places, len(sentence)])] if len(places) > 1 else []


def _is_tested(clause: str, read: Sequence[Check | None]) -> bool:
    length = any(check is not None and check.kind == "length" for check in read)
    return bool(checks_of(clause)) or (length and _BRIEF.search(clause) is not None)


def numbers_in(sentence: str) -> frozenset[int]:
    """Return all whole numbers in `sentence`, written as digits or words."""
    return frozenset(_number(found) for found in re.findall(rf"\b{_NUMBER}\b", sentence, re.IGNORECASE))


def _lengths(sentence: str) -> Iterator[Check]:
    """Yield one check per limited unit; no words of the sentence count for two limits."""
    read: dict[str, tuple[int, int]] = {}
    for pattern, least, most in _LENGTHS:
        for found in re.finditer(pattern, sentence, re.IGNORECASE):
            *numbers, unit = found.groups()
            start, end = found.span()
            if unit.lower() in read or any(start < last and first < end for first, last in read.values()):
                continue
            if PART.search(_rest(sentence, found)):
                continue
            low, high = _number(numbers[0]), _number(numbers[-1])
            exact = found.group().lower().startswith(("exactly", "precisely"))
            opposite = _LIMIT_WORD.match(found.group()) and denied(sentence[:start])  # “never more than three”
            limits = [(low, high, unit.lower())]
            # “at most three sentences and 60 words”; “or” leaves a choice, unless both are denied or over the limit.
            second = _SECOND.match(sentence, end)
            both = second is not None and (second[1].lower() == "and" or bool(opposite) or least is None)
            if second is not None and both and second[3].lower() not in (unit.lower(), *read):
                limits.append((_number(second[2]), _number(second[2]), second[3].lower()))
            for first, last, what in limits:
                # “in 50 words” is an upper limit; “in two sentences” is exact
                a_limit = pattern == _LENGTHS[-1][0] and not exact and what in ("word", "character")
                fewest = None if a_limit else least
                if fewest is None and most is not None and last == 0:
                    continue
                if opposite:
                    bounds = first if fewest is None else None, first if most is None else None
                else:
                    bounds = None if fewest is None else first + fewest, None if most is None else last + most
                read[what] = start, end
                yield _length(what, *bounds)


def _rest(sentence: str, found: "re.Match[str]") -> str:
    """Return the text around a match: it shows whether only a part of the answer is meant."""
    return f"{sentence[: found.start()]} {sentence[found.end() :]}"


def _length(unit: str, least: int | None, most: int | None) -> Check:
    if unit == "character":
        low, high = least or 0, "" if most is None else most
        return Check("pattern", pattern=rf"(?s)\A.{{{low},{high}}}\Z")
    units: dict[str, LengthUnit] = {"word": "words", "sentence": "sentences", "line": "lines"}
    return Check("length", unit=units[unit], min=least, max=most)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else _NUMBERS[text.lower()]


def _json(sentence: str) -> Reading:
    found = _JSON.search(sentence)
    if found is None or denied(sentence):
        return
    rest = sentence[found.end() :]
    named = _KEYS.search(rest) or _QUOTED_KEYS.match(rest)
    keys = _keys(named["keys"]) if named else []
    schema = {"type": "object", "required": list(dict.fromkeys(keys))}
    yield Check("json", schema=json.dumps(schema, ensure_ascii=False, sort_keys=True) if keys else "")
    if not keys and _FORM_OF_JSON.search(rest):
        yield None


def _keys(listed: str) -> list[str]:
    """Return the keys in a plain list, all quoted or all identifiers; empty if any part of it may be something else."""
    quoted = list(QUOTED.finditer(listed))
    if quoted:
        between = [listed[one.end() : other.start()] for one, other in pairwise(quoted)]
        plain = all(map(_AFTER_KEY.fullmatch, between)) and "optional" not in listed.casefold()
        return [inner(each) for each in quoted] if plain else []
    names = _KEY_JOINER.split(listed.strip(" .:"))
    plain = len(names) > 1 and all(map(str.isidentifier, names)) and not any(map(_OF_KEYS.fullmatch, names))
    return names if plain else []


def _language(sentence: str) -> Iterator[Check]:
    found = list(_LANGUAGE.finditer(sentence))
    if len(found) == 1 and _SPEAKS.search(sentence[: found[0].start()]) and not denied(sentence):
        yield Check("language", code=_LANGUAGES[found[0].group().lower()])


def _labels(sentence: str) -> Iterator[Check]:
    named = _LABELS.search(sentence)
    if named is None or denied(sentence) or "json" in sentence.casefold():
        return
    listed = named.group("labels")
    labels = enumerated(listed if QUOTED.search(listed) else listed.rpartition(":")[2] if ":" in sentence else "")
    if labels:
        yield Check("label", labels=tuple(labels))


def _forms(sentence: str) -> Iterator[Check]:
    if (case := _CASE.search(sentence)) and not denied(sentence) and not PART.search(sentence):
        yield Check("pattern", pattern=r"\A[^A-Z]*\Z" if case[1].lower() == "lower" else r"\A[^a-z]*\Z")
    if _ONE_PARAGRAPH.search(sentence) and not denied(sentence):
        yield Check("pattern", pattern=r"(?s)\A(?!.*\S\s*\n\s*\n\s*\S)")


_READERS: tuple[Callable[[str], Reading], ...] = (
    _lengths, edges, contains, forbidden, _json, _language, _labels, _forms,
)  # fmt: skip
