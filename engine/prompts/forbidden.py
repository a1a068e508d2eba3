"""The checks for what a sentence forbids: words, marks and formats. Pure; knows nothing of prompts."""

import re

from engine.prompts.demands import is_demand
from engine.prompts.quoted import BETWEEN, QUOTED, THING, Reading, inner
from engine.records.rule import Check

_SAYING = re.compile(
    r"\b(?:never|do not|don['’]t|must not|may not|should not|avoid|without|no|cannot)\b[^.;]{0,60}?"
    rf"\b(?:use|using|say|saying|write|writing|mention|mentioning|include|contain|words?|phrases?|terms?)\b{BETWEEN}"
    rf"{THING}[:\s]+",
    re.IGNORECASE,
)
_USING = re.compile(
    r"\b(?:no|avoid(?: using)?|refrain from using|without(?: using)?|(?:never|not|don['’]t|cannot|can['’]t)"
    r" (?:use|add|include|write|insert|put|produce|contain|have|(?:answer|reply|respond) (?:with|in)))\s+",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:any|an?|the|no|without(?: using)?|exact|plain)\s+)*"
    r"(?:(?:words?|phrases?|terms?|expressions?)[:\s]+(?=\W))?",
    re.IGNORECASE,
)
_NEXT = re.compile(r"\s*(?:,\s*(?:(?:or|and|nor)\s+)?|/|\b(?:or|and|nor)\s+)", re.IGNORECASE)
_EVERYWHERE = (
    r"(?:\s+(?:at all|ever|anywhere|whatsoever|of any kind|(?:in|to|with|for)(?: (?:any|an?|your|the|every|each|all))?"
    r" (?:answers?|repl(?:y|ies)|responses?|outputs?|messages?|customers?|users?|guests?|clients?)))?"
)
_WHOLE = re.compile(rf"{_EVERYWHERE}\s*(?:[,.;:/!)—–]|\Z|\b(?:or|and|nor)\b)", re.IGNORECASE)
_NARROWED = re.compile(rf"(?!{_EVERYWHERE}\s*(?:[,.;:!]|\Z))\s*(?:in|for|to|with|inside|within|at)\b", re.IGNORECASE)
_ANOTHER = re.compile(r"[^,.;:]*?(?=\s*(?:[,.;:]|\Z|\b(?:or|and|nor)\b))", re.IGNORECASE)
_APOLOGY = re.compile(r"\b(?:never|do not|don['’]t) apologi[sz]e(?:\s*[.!]?\Z)", re.IGNORECASE)

_BULLET, _NUMBERED = r"(?:\A|\n)\s*[-*•] ", r"(?:\A|\n)\s*\d{1,3}[.)] "
# Not `2**3`. Underscores are left out: `__init__` and a blank `____` are not bold.
_BOLD = r"(?<!\w)\*\*(?=[^\s*])[^\n]{0,400}?\S\*\*(?!\w)"
_TABLE = r"<table\b|(?:\A|\n)[ \t]*(?:\|[^\n|]*\|[^\n]*\|[ \t]*|:?-+:?[ \t]*\|[-:| \t]*)(?:\n|\Z)"


def _without(part: str) -> Check:
    return Check("pattern", pattern=rf"(?s)\A(?!.*{part})")


_FORMATS: tuple[tuple["re.Pattern[str]", Check], ...] = tuple(
    (re.compile(named, re.IGNORECASE), check)
    for named, check in (
        (r"exclamation (?:marks?|points?)", Check("forbidden", texts=("!",))),
        (r"question marks?", Check("forbidden", texts=("?",))),
        (r"semicolons?", Check("forbidden", texts=(";",))),
        (r"em[ -]dash(?:es)?", Check("forbidden", texts=("—",))),
        (r"(?:digits|numerals)", Check("forbidden", texts=tuple("0123456789"))),
        (r"code (?:blocks?|fences?)", Check("forbidden", texts=("```",))),
        (r"(?:links|urls)", Check("forbidden", texts=("http://", "https://", "www."))),
        (r"(?:bullets|bullet points?|bullet(?:ed)? lists?)", _without(_BULLET)),
        (r"(?:numbered|ordered) lists?", _without(_NUMBERED)),
        (r"lists?", _without(f"(?:{_BULLET}|{_NUMBERED})")),
        (r"(?:markdown )?tables?", _without(f"(?:{_TABLE})")),
        (r"(?:markdown )?head(?:ing|er)s?", _without(r"(?:\A|\n)#{1,6} ")),
        (r"bold(?: text| type)?", _without(_BOLD)),
        (r"markdown(?: formatting)?", _without(rf"(?:{_BOLD}|```|(?:\A|\n)#{{1,6}} |{_TABLE})")),
        (r"emojis?", Check("pattern", pattern="\\A[^\U0001f300-\U0001faff\u2600-\u27bf]*\\Z")),
    )
)


def forbidden(sentence: str) -> Reading:
    """Yield the checks for what every answer must not contain, and None for an item of such a list without a check."""
    for opening in (_SAYING, _USING):
        end = 0
        for found in opening.finditer(sentence):
            if found.start() < end or (opening is _SAYING and not QUOTED.match(sentence, found.end())):
                continue  # an item of the list before, or nothing quoted
            read, end = _listed(sentence, found.end())
            yield from read
    if _APOLOGY.search(sentence):
        yield Check("forbidden", texts=("sorry", "apologise", "apologize", "apologies"))


def _listed(sentence: str, position: int) -> tuple[list[Check | None], int]:
    """Return the checks of the list that starts there, with None for its items without a check, and where it ends."""
    checks: list[Check | None] = []
    texts: list[str] = []
    untested = False
    while True:
        lead = _LEAD.match(sentence, position)
        start = lead.end() if lead else position
        quoted = QUOTED.match(sentence, start)
        if quoted is not None and not _NARROWED.match(sentence, quoted.end()):
            texts.append(inner(quoted).strip(" ,."))
            position = quoted.end()
        elif (format_ := _format_at(sentence, start)) is not None:
            checks.append(format_[0])
            position = format_[1]
        else:
            untested = True
            another = _ANOTHER.match(sentence, quoted.end() if quoted else start)
            position = another.end() if another else len(sentence)
        after = _NEXT.match(sentence, position)
        if after is None or is_demand(sentence[after.end() :]):
            break
        position = after.end()
    named = tuple(dict.fromkeys(text for text in texts if text))
    if named:
        checks.insert(0, Check("forbidden", texts=named))
    if untested and checks:
        checks.append(None)
    return checks, position


def _format_at(sentence: str, position: int) -> tuple[Check, int] | None:
    """Return the check of the format named there, and where its name ends."""
    for named, check in _FORMATS:
        found = named.match(sentence, position)
        if found is not None and _WHOLE.match(sentence, found.end()):
            return check, found.end()
    return None
