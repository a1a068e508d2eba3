"""The parts of a prompt that change with each request: placeholders and today's date. Pure.

They cannot be distilled: the weights would learn one fixed value. A placeholder that shows the form of an answer
(“Begin with RISK SCORE: <n>”) is not a variable, nor is one in code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = r"[A-Za-z_][A-Za-z0-9_.\-]{0,40}"
_PLACEHOLDERS = re.compile(
    rf"(?P<double>\{{\{{-?\s*{_NAME}(?:\s*\|[^{{}}\n]{{1,60}})?\s*-?\}}\}})"
    rf"|(?P<single>(?<![{{$\\])\{{{_NAME}\}}(?!\}}))"
    rf"|(?P<angle><{_NAME}>)"
    r"|(?P<shell>\$(?:[A-Z][A-Z0-9_]{2,40}\b|\{[A-Za-z_]\w{0,40}\}))"
)
_NO_VARIABLES = "$HOME $PATH $USER $SHELL $PWD $LANG $TERM $EDITOR $TMPDIR $USD $EUR $GBP $AUD $CAD"
_SHELLS_OWN = frozenset(_NO_VARIABLES.split())
_TAGS = (
    "a b i u p q s br hr em h1 h2 h3 h4 h5 h6 li ol ul td th tr code pre div span table thead tbody strong html body "
    "head title img script style sub sup kbd details summary blockquote section article nav main form input button "
    "label select option think thinking"
)
_HTML = frozenset(_TAGS.split())
# Names that a program fills in before it asks, even if the sentence is about the answer.
_FILLED_IN = re.compile(
    r"(?:user|customer|client|current|today|retrieved|chat|session)[_.\-]?\w*|question|query|input|context|documents?|"
    r"history|date|time|datetime|now",
    re.IGNORECASE,
)
_OF_THE_FORM = re.compile(
    r"\b(?:begins?|starts?|opens?|ends?|finish(?:es)?|sign(?:s|ed)?|format(?:ted)?|form|forms|template|structure|layout"
    r"|pattern|output|placeholders?|replac(?:e|ing)|headings?|lines?|followed by|written as|cite|citations?|answers? "
    r"(?:with|as)|repl(?:y|ies) (?:with|as)|respond (?:with|as)|write|return|say|such as|like this|e\.g\.|example|tags?"
    r"|wrap|enclose)\b",
    re.IGNORECASE,
)
_OF_A_SHELL = re.compile(r"\b(?:environment variables?|shell|such as|e\.g\.)", re.IGNORECASE)
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)(?:uary|ruary|ch|il|ust|ember|ober)?"
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_DATE = re.compile(
    r"\b(?:today(?:['’]s date)?|(?:the )?current (?:date|day|month|year|time)(?: and time)?|the date(?: today)?|it)"
    rf"\s*(?:is|:|=)\s*(?:now |currently |the )?(?:{_DAY}\b|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\b|{_MONTH}\.? \d"
    r"|\d{4}\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}:\d{2}\b)[^.\n]{0,30}",
    re.IGNORECASE,
)
_NEAR = 80  # characters before a placeholder that are read as its sentence
_FENCE = re.compile(r"\s*(?:```|~~~)")
_CODE = re.compile(r"`[^`\n]+`")


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that changes with each request, in characters `start:end` of a text."""

    name: str  # as written in the text
    start: int
    end: int
    is_date: bool


def find_variables(text: str) -> tuple[Variable, ...]:
    """Return every place in `text` that changes with each request, in order."""
    found: list[Variable] = []
    start, fenced, above = 0, False, ""
    closed = {tag.lower() for tag in re.findall(rf"</({_NAME})>", text)}
    for line in text.split("\n"):
        fence = _FENCE.match(line) is not None
        fenced = fenced != fence
        if not fence:
            found += _in_line(line, start, above, closed, fenced=fenced)
        if line.strip():
            above = line if line.rstrip("*_ ").endswith(":") or fence else above if _goes_on(line) else ""
        start += len(line) + 1
    return tuple(found)


def _goes_on(line: str) -> bool:
    """Whether a line may continue what the line above it introduced."""
    return re.match(r"\s*(?:[-*•+\d<{\[(\"`]|[A-Z][\w ]{0,30}:)", line) is not None


def _in_line(line: str, start: int, above: str, closed: set[str], *, fenced: bool) -> Iterator[Variable]:
    dates = list(_DATE.finditer(line))
    for date in dates:
        yield Variable(date.group().strip(), start + date.start(), start + date.end(), is_date=True)
    code = [] if fenced else [found.span() for found in _CODE.finditer(line)]
    taken = sorted([*(date.span() for date in dates), *code], reverse=True)  # sorted so that pop() takes the first
    # Searched once per line, not per placeholder: a line may be as long as a page, with thousands of placeholders.
    alone = line.strip()
    formed = _OF_THE_FORM.search(f"{above} {line}")
    form_from = formed.end() - len(above) - 1 if formed else len(line)
    of_a_shell = _OF_A_SHELL.search(line) is not None
    for found in _PLACEHOLDERS.finditer(line):
        while taken and taken[-1][1] <= found.start():
            taken.pop()
        if (fenced and alone != found.group()) or (taken and taken[-1][0] <= found.start()):
            continue
        if found["shell"]:
            changes = found.group() not in _SHELLS_OWN and not of_a_shell
        else:
            changes = _changes(found, line, closed, of_the_form=form_from <= found.start())
        if changes:
            yield Variable(found.group(), start + found.start(), start + found.end(), is_date=False)


def _changes(found: "re.Match[str]", line: str, closed: set[str], *, of_the_form: bool) -> bool:
    text = found.group()
    name = re.sub(r"[^\w.\-]", "", text.partition("|")[0])
    if found["double"]:
        return True
    if found["angle"] and (name.lower() in closed or name.lower() in _HTML):
        return False
    if found["single"]:
        return not of_the_form or _FILLED_IN.fullmatch(name) is not None
    return not of_the_form and ("_" in name or _is_announced(line, found))


def _is_announced(line: str, found: "re.Match[str]") -> bool:
    """Whether the sentence states a fact with the placeholder: “The user is called <name>”."""
    before = line[max(found.start() - _NEAR, 0) : found.start()]
    return re.search(r"(?:\b(?:is|are|was|called|named|for|from|to)|:)\s*[\"“«']?\Z", before) is not None
