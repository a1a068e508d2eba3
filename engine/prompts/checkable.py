"""The checks that a sentence of a prompt asks for, if its English is unambiguous. Pure and deterministic.

A demand on only a part of the answer (a title, each item), or on only some answers, gives no check: a check that a
correct answer fails is worse than none. Knows nothing of prompts.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from engine.records.rule import Check, LengthUnit
from engine.rules.documents import MAX_TEXT_CHARACTERS

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
_PART = re.compile(
    r"\b(?:each|every|per)\b(?! (?:answer|reply|response|output|message)\b)|\b(?:titles?|subjects?|headlines?|bullets?"
    r"|items?|headings?|summar(?:y|ies)|paragraphs?|sections?|fields?|columns?|rows?|values?|quotes?|quotations?|steps?"
    r"|followed by|then|after (?:that|it|the)|points?|reason|explanation|examples?|questions?|first|last|name"
    r"|sentences? (?:of|with|under|that|should|must)|average)\b",
    re.IGNORECASE,
)
_PAIRS = (("«", "»"), ("“", "”"), ('"', '"'), ("`", "`"), ("‘", "’"))
_QUOTED = re.compile(
    "|".join(rf"{open_}([^{open_}{close}\n]{{1,200}}){close}" for open_, close in _PAIRS)
    + r"|(?<![\w’'])'([^'\n]{1,120})'(?!\w)"
)
_BETWEEN = r"(?:\s+(?:the|an?|exactly|literally|always|exact|one of|of|these|this|following|any|like)){0,3}"
_THING = r"(?:\s+(?:words?|text|phrases?|lines?|sentences?|characters?|signature|greeting|link|prefix|suffix|heading))?"
_BEGINS = re.compile(
    rf"\b(?:begins?|starts?|opens?)\b(?:\s+[\w’']+){{0,4}}?\s+(?:with|by)\b{_BETWEEN}{_THING}[:\s]+", re.IGNORECASE
)
_ENDS = re.compile(
    rf"\b(?:ends?|finish(?:es)?|closes?|sign(?:s|ed)?(?:\s+off)?)\b(?:\s+[\w’']+){{0,4}}?\s+(?:with|by|as)\b{_BETWEEN}"
    rf"{_THING}[:\s]+",
    re.IGNORECASE,
)
_DASHED = re.compile(r"[—–]\s?[A-Z][\w ’'&-]{0,40}(?=[.!]?$)")
_HOLDS = re.compile(
    rf"\b(?:include|includes|contain|contains|mention|mentions|add|adds|state|states|insert)\b{_BETWEEN}{_THING}[:\s]+",
    re.IGNORECASE,
)
_FORBIDS = re.compile(
    r"\b(?:never|do not|don['’]t|must not|may not|should not|avoid|without|no|cannot)\b[^.;]{0,60}?"
    rf"\b(?:use|using|say|saying|write|writing|mention|mentioning|include|contain|words?|phrases?|terms?)\b{_BETWEEN}"
    rf"{_THING}[:\s]+",
    re.IGNORECASE,
)
_NO = (
    r"\b(?:no|never(?: \w+){0,2}|avoid(?: using)?|without(?: any)?|do not (?:use|add|include|write)"
    r"|don['’]t (?:use|add|include|write)|must not (?:use|contain|include))(?: any)? "
)
_BANNED: tuple[tuple[str, Check], ...] = tuple(
    (rf"{_NO}(?:[\w-]+(?: [\w-]+)?(?:, | or | and |, or |, and )){{0,3}}{what}", check)
    for what, check in (
        (r"exclamation (?:marks?|points?)", Check("forbidden", texts=("!",))),
        (r"question marks?", Check("forbidden", texts=("?",))),
        (r"semicolons?", Check("forbidden", texts=(";",))),
        (r"em[ -]dash(?:es)?", Check("forbidden", texts=("—",))),
        (r"(?:digits|numerals)\b", Check("forbidden", texts=tuple("0123456789"))),
        (r"code (?:blocks?|fences?)", Check("forbidden", texts=("```",))),
        (r"(?:links|urls)\b", Check("forbidden", texts=("http://", "https://", "www."))),
        (
            r"(?:bullets|bullet points|bullet lists|bulleted lists)\b",
            Check("pattern", pattern=r"(?s)\A(?!.*(?:\A|\n)\s*[-*•] )"),
        ),
        (r"(?:markdown|headings)\b", Check("pattern", pattern=r"(?s)\A(?!.*(?:\*\*|```|(?:\A|\n)#{1,6} ))")),
        (r"emojis?\b", Check("pattern", pattern="\\A[^\U0001f300-\U0001faff\u2600-\u27bf]*\\Z")),
    )
)
_APOLOGY = re.compile(r"\b(?:never|do not|don['’]t) apologi[sz]e(?:\s*[.!]?\Z)", re.IGNORECASE)
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
_LANGUAGES = {
    "arabic": "ar", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi",
    "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi", "hungarian": "hu",
    "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "norwegian": "no", "polish": "pl",
    "portuguese": "pt", "romanian": "ro", "russian": "ru", "spanish": "es", "swedish": "sv", "turkish": "tr",
    "ukrainian": "uk", "vietnamese": "vi",
}  # fmt: skip
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
_PLACEHOLDER = re.compile(r"<[^<>\n]{1,40}>|\{\{?[^{}\n]{1,40}\}\}?|\[[^\[\]\n]{1,40}\]|…|\.\.\.")
_EXPLAINED = re.compile(r"\b(?:where|with|and) ([A-Z][A-Z0-9_]*) (?:is|are|stands|means|being|=)(?!\w)")
_RANGE = re.compile(r"(\d)\s*(?:-|–|to)\s*(\d)")
_NUMERIC = re.compile(r"n|number|score|count|\d+", re.IGNORECASE)


@lru_cache(maxsize=4_096)
def checks_of(sentence: str) -> tuple[Check, ...]:
    """Return the checks that `sentence`, a one-line demand, asks of every answer; none if it is ambiguous."""
    found: list[Check] = []
    if len(sentence) > MAX_TEXT_CHARACTERS:  # too long for a rule, and slow: readers look back from each match
        return ()
    for read in _READERS:
        found += [check for check in read(sentence) if check not in found]
    return tuple(found)


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
            if _PART.search(_rest(sentence, found)):
                continue
            low, high = _number(numbers[0]), _number(numbers[-1])
            exact = found.group().lower().startswith(("exactly", "precisely"))
            denied = _LIMIT_WORD.match(found.group()) and _denied(sentence[:start])  # «never more than three»
            limits = [(low, high, unit.lower())]
            # «at most three sentences and 60 words»; «or» leaves a choice, unless both are denied or over the limit.
            second = _SECOND.match(sentence, end)
            both = second is not None and (second[1].lower() == "and" or bool(denied) or least is None)
            if second is not None and both and second[3].lower() not in (unit.lower(), *read):
                limits.append((_number(second[2]), _number(second[2]), second[3].lower()))
            for first, last, what in limits:
                # «in 50 words» is an upper limit; «in two sentences» is exact
                a_limit = pattern == _LENGTHS[-1][0] and not exact and what in ("word", "character")
                fewest = None if a_limit else least
                if fewest is None and most is not None and last == 0:
                    continue
                if denied:
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


def _edges(sentence: str) -> Iterator[Check]:
    for kind, opening in (("starts_with", _BEGINS), ("ends_with", _ENDS)):
        for found in opening.finditer(sentence):
            quoted = _QUOTED.match(sentence, found.end())
            dashed = _DASHED.match(sentence, found.end()) if kind == "ends_with" else None
            text = _marked(_inner(quoted), sentence) if quoted else dashed.group() if dashed else ""
            before = sentence[: found.start()]
            if not text.strip() or _PART.search(before) or _denied(before) or _alternative(sentence, quoted):
                continue
            yield _literal(text, kind)


def _contains(sentence: str) -> Iterator[Check]:
    for found in _HOLDS.finditer(sentence):
        quoted = _QUOTED.match(sentence, found.end())
        before = sentence[: found.start()]
        if quoted and not _denied(before) and not _alternative(sentence, quoted) and not _PART.search(before):
            yield _literal(_marked(_inner(quoted), sentence), "contains")


def _marked(text: str, sentence: str) -> str:
    """Replace each word of the quoted text that the sentence explains with a placeholder: «`ID: N`, where N is …»."""
    for name in _EXPLAINED.findall(sentence):
        text = re.sub(rf"\b{name}\b", f"<{name}>", text)
    return text


def _literal(text: str, kind: str) -> Check:
    """Return a check for a quoted text; a placeholder matches anything, or a number if its name says so."""
    text = text.strip()
    opens = kind == "starts_with"
    if opens and text.endswith(("…", "...")):
        text = text.rstrip("….")
    if not _PLACEHOLDER.search(text):
        return Check("starts_with" if opens else "ends_with" if kind == "ends_with" else "contains", text=text)
    parts: list[str] = []
    position = 0
    for found in _PLACEHOLDER.finditer(text):
        inner = found.group().strip("<>{}[] ")
        ranged = _RANGE.fullmatch(inner)
        parts.append(re.escape(text[position : found.start()]).replace(r"\ ", " "))
        parts.append(f"[{ranged[1]}-{ranged[2]}]" if ranged else r"\d+" if _NUMERIC.fullmatch(inner) else r"[^\n]+?")
        position = found.end()
    parts.append(re.escape(text[position:]).replace(r"\ ", " "))
    body = "".join(parts)
    return Check("pattern", pattern=rf"\A\s*{body}" if opens else rf"{body}\s*\Z" if kind == "ends_with" else body)


def _forbidden(sentence: str) -> Iterator[Check]:
    for found in _FORBIDS.finditer(sentence):
        texts: list[str] = []
        position = found.end()
        while (quoted := _QUOTED.match(sentence, position)) is not None:
            texts.append(_inner(quoted).strip(" ,."))
            between = re.compile(r"\s*(?:,\s*(?:or|and)?|or|and|/)\s*").match(sentence, quoted.end())
            if between is None:
                break
            position = between.end()
        if any(texts):
            yield Check("forbidden", texts=tuple(dict.fromkeys(text for text in texts if text)))
    yield from (check for pattern, check in _BANNED if _plainly(pattern, sentence))
    if _APOLOGY.search(sentence):
        yield Check("forbidden", texts=("sorry", "apologise", "apologize", "apologies"))


def _plainly(pattern: str, sentence: str) -> bool:
    found = re.search(pattern, sentence, re.IGNORECASE)
    return found is not None and not re.match(r"\s*(?:in|for|to|with|inside|within|at|more)\b", sentence[found.end() :])


def _json(sentence: str) -> Iterator[Check]:
    if not _JSON.search(sentence) or _denied(sentence):
        return
    named = _KEYS.search(sentence)
    keys = [_inner(quoted) for quoted in _QUOTED.finditer(named.group("keys"))] if named else []
    schema = {"type": "object", "required": list(dict.fromkeys(keys))}
    yield Check("json", schema=json.dumps(schema, ensure_ascii=False, sort_keys=True) if keys else "")


def _language(sentence: str) -> Iterator[Check]:
    found = list(_LANGUAGE.finditer(sentence))
    if len(found) == 1 and _SPEAKS.search(sentence[: found[0].start()]) and not _denied(sentence):
        yield Check("language", code=_LANGUAGES[found[0].group().lower()])


def _labels(sentence: str) -> Iterator[Check]:
    named = _LABELS.search(sentence)
    if named is None or _denied(sentence) or "json" in sentence.casefold():
        return
    labels = [_inner(quoted).strip() for quoted in _QUOTED.finditer(named.group("labels"))]
    if not labels and ":" in sentence:
        listed = re.split(r",\s*(?:or |and )?|\s+or\s+", named.group("labels").rpartition(":")[2].strip(" ."))
        labels = [label.strip() for label in listed if re.fullmatch(r"[\w-]+(?: [\w-]+)?", label.strip())]
        labels = labels if len(labels) == len(listed) else []
    if 2 <= len(dict.fromkeys(labels)) <= 30:
        yield Check("label", labels=tuple(dict.fromkeys(labels)))


def _forms(sentence: str) -> Iterator[Check]:
    if (case := _CASE.search(sentence)) and not _denied(sentence) and not _PART.search(sentence):
        yield Check("pattern", pattern=r"\A[^A-Z]*\Z" if case[1].lower() == "lower" else r"\A[^a-z]*\Z")
    if _ONE_PARAGRAPH.search(sentence) and not _denied(sentence):
        yield Check("pattern", pattern=r"(?s)\A(?!.*\S\s*\n\s*\n\s*\S)")


def _denied(text: str) -> bool:
    return re.search(r"\b(?:not|never|avoid|without|don['’]t|cannot|nor|refrain)\b", text, re.IGNORECASE) is not None


def _alternative(sentence: str, quoted: "re.Match[str] | None") -> bool:
    """Whether the sentence allows another text instead: «Yes» or «No»."""
    return quoted is not None and re.match(r",?\s*(?:or|and/or|/)\b", sentence[quoted.end() :]) is not None


def _inner(quoted: "re.Match[str]") -> str:
    return next(group for group in quoted.groups() if group is not None)


_READERS: tuple[Callable[[str], Iterator[Check]], ...] = (
    _lengths, _edges, _contains, _forbidden, _json, _language, _labels, _forms,
)  # fmt: skip
