"""The demands of a system message: the sentences that tell the model what to do, each with its position. Pure; does
not judge them.

Uses simple heuristics for English prose and Markdown. A sentence is a demand if it starts with a verb in the
imperative or with “always”, “never” and the like, says what the answer or “you” must or must not do, or is a list item
under a heading such as “Rules”. Fenced code and `<example>` blocks are not demands. Hard-wrapped lines are read as one
sentence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from engine.prompts.documents import first_lines
from engine.records.prompt import Prompt
from engine.records.rule import Span
from engine.rules.units import unit_spans

_LIST_MARK = re.compile(r"\s*(?:[-*+•–]|\(?\d{1,3}[.)]|[A-Za-z][.)])\s+")
_HEADING = re.compile(r"\s*(?:#{1,6}\s+(?P<marks>.+)|\*\*(?P<bold>[^*]+?):?\*\*:?|__(?P<under>[^_]+?):?__:?)\s*")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_EXAMPLE_OPENS = re.compile(r"\s*<(?P<tag>examples?|sample|transcript)\b[^<>]*>\s*", re.IGNORECASE)
_EMPHASIS = re.compile(r"\*\*|__")
_LABEL = re.compile(r"[A-Z][\w ’'/-]{0,30}: (?=\S)")  # “Length: at most 40 words.”
_TAG = re.compile(r"\s*</?\w")
_ENUMERATION = re.compile(r"[\w&/’'`\"“«-]+(?: [\w&/’'`\"”»-]+){0,2},")  # “CARDS, LOANS”: its first item
_UNFINISHED = re.compile(
    r"(?:,|\b(?:an?|and|as|at|by|for|from|in|into|of|on|or|than|the|to|with|your|their|its))\Z", re.IGNORECASE
)
_WRAPPED_FROM = 40  # characters from which a line may be hard-wrapped

_ORDERING = (
    "accept acknowledge act add address adopt advise agree aim allow alter analyse analyze answer apologise "
    "apologize apply ask assign assume attach avoid base be begin break bring call capitalise capitalize care "
    "categorise categorize change check choose cite clarify classify close combine compare complete confirm "
    "consider contain convert copy correct count create cut decide decline default define deliver describe detect "
    "direct disclose discuss display distinguish divide draft echo emphasise emphasize encourage end ensure "
    "escalate estimate exclude expand explain express extract favour favor feel fill find finish fix flag focus "
    "follow format gather generate give greet group guess guide handle help hide highlight identify ignore imagine "
    "include indicate infer inform insert introduce invent invite judge keep know label lead leave limit link list "
    "look maintain make map mark match mention mirror name narrate never note number obey offer omit open order "
    "organise organize output paraphrase pick place point prefer present preserve pretend prioritise prioritize "
    "produce promise prompt propose provide put quote raise rank rate read recommend redirect refer reflect refrain "
    "refuse reject remain remember remove repeat rephrase replace reply report request respect respond restrict "
    "return reveal review rewrite round say score select send separate set share show sign simplify skip sort sound "
    "speak specify split stand start state stay steer stick stop strive structure suggest summarise summarize "
    "support switch take talk tell thank think translate treat try turn understand use validate vary verify wait "
    "warn welcome wrap write"
)
_VERBS = frozenset(_ORDERING.split())
_LEADING = r"(?:please|always|also|then|first|finally|only|instead|so|and|but|just)[,\s]+"
_ORDER = re.compile(rf"(?:{_LEADING}){{0,3}}(?P<verb>[A-Za-z]+)\b", re.IGNORECASE)
_TOLD = re.compile(
    r"(?:always|never|no|do not|don['’]t|at most|at least|no more than|exactly|under no circumstances)\b|"
    r".{0,80}?\b(?:must|should|shall|may not|need to|have to|has to|needs to|can(?:not|['’]t))\b|"
    r"(?:you|your? (?:answers?|repl(?:y|ies)|responses?)|(?:every|each|all|the) "
    r"(?:answers?|repl(?:y|ies)|responses?|outputs?|messages?))\s(?!are\b)(?:\w+\s){0,2}?"
    r"(?:always|never|only|do not|don['’]t|will|is|has|have|begins?|starts?|ends?|contains?|includes?|uses?|stays?)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|when|whenever|unless|except|in case|should the|until|once|otherwise|depending|while|other than)"
    r"\b|\A(?:for|in|during|on|with|to|after|before|where|at)\b"
    r"(?! (?:each|every|all|your) (?:answer|repl|response))[^,.]{1,60},|\bfor [a-z]+ (?:questions|requests|issues)",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\A\W*(?:please\s+)?(?:(?:you|answers?|repl(?:y|ies)|responses?)\s+)?(?:(?:must|should|may|can|do|shall|will)\s*"
    r"(?:not|never)|don['’]t|cannot|can['’]t|mustn['’]t|never|avoid|refrain|no|without|under no circumstances)\b",
    re.IGNORECASE,
)
_RULES_HEADING = re.compile(
    r"\b(?:rules?|format|style|constraints?|requirements?|length|restrictions?)\b", re.IGNORECASE
)
_GENERAL_HEADING = re.compile(
    r"\b(?:format|style|tone|rules?|output|constraints?|instructions?|guidelines?|answers?|responses?|repl(?:y|ies)"
    r"|general|always|never|requirements?|policy|policies|length|language|voice|writing|important|don['’]ts?|dos?"
    r"|behaviou?r|limits?|task|must|structure|content|close|closing|sign[ -]?off|restrictions?|form|formatting"
    r"|how to)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Demand:
    """One sentence that demands something. `line`: in the prompt's Markdown document, from 1."""

    text: str  # without list mark and emphasis, on one line
    message: int  # index into the prompt's messages
    span: Span  # within that message
    line: int
    scope: str  # the heading, or the line above its list, that limits where it applies; empty: it applies everywhere
    negative: bool  # whether it forbids something
    conditional: bool  # whether it applies only in some cases, or only to a part of the answer


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    heading: str
    lead: str  # the line ending in a colon above this line's list
    skipped: bool  # code, an example, or a heading


def read_demands(prompt: Prompt) -> tuple[Demand, ...]:
    """Return the demands of the prompt's system message, in order; none without a system message."""
    if not prompt.system:
        return ()
    text, first = prompt.system, first_lines(prompt)[0]
    lines = _lines(text)
    starts = [line.start for line in lines]
    found: list[Demand] = []
    number = 0
    for span in _sentences(text):
        while number + 1 < len(starts) and starts[number + 1] <= span.start:
            number += 1
        line = lines[number]
        if line.skipped:
            continue
        raw = text[span.start : span.end]
        mark = _LIST_MARK.match(raw)
        start = span.start + (mark.end() if mark else 0)
        sentence = " ".join(_EMPHASIS.sub("", text[start : span.end]).split())
        label = _LABEL.match(sentence)
        body = sentence[label.end() :] if label else sentence
        of_a_part = label is not None and not _GENERAL_HEADING.search(label.group())
        ordered = bool(line.lead) and bool(_NEGATIVE.match(line.lead) or _TOLD.match(line.lead))
        ordered = ordered or bool(_RULES_HEADING.search(line.heading))
        if not (is_demand(sentence) or is_demand(body) or (ordered and mark)) or sentence.endswith(("?", ":")):
            continue
        general = not line.heading or bool(_GENERAL_HEADING.search(line.heading))
        narrowing = line.lead if _CONDITION.search(line.lead) else "" if general else line.heading
        found.append(
            Demand(
                sentence,
                0,
                Span(start, span.end),
                first + number,
                narrowing,
                bool(_NEGATIVE.match(body)) or bool(line.lead and _NEGATIVE.match(line.lead)),
                of_a_part or bool(_CONDITION.search(body)) or bool(_CONDITION.search(line.lead)),
            )
        )
    return tuple(found)


def is_demand(sentence: str) -> bool:
    """Whether a sentence gives an order or states a requirement."""
    order = _ORDER.match(sentence)
    return (order is not None and order.group("verb").lower() in _VERBS) or _TOLD.match(sentence) is not None


def _sentences(text: str) -> list[Span]:
    """Return the sentences; one that continues after a quoted full stop is not split there."""
    found: list[Span] = []
    for span in unit_spans(_unwrapped(text), "sentences"):
        if found and text[span.start].islower() and "\n" not in text[found[-1].end : span.start]:
            found[-1] = Span(found[-1].start, span.end)
        else:
            found.append(span)
    return found


def _lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    start, heading, lead, fenced, closing = 0, "", "", False, ""
    for line in text.split("\n"):
        fence = _FENCE.match(line) is not None
        opens = _EXAMPLE_OPENS.fullmatch(line)
        if opens and not closing:
            closing = f"</{opens.group('tag').lower()}>"
        inside = fenced or fence or bool(closing)
        title = None if inside else _HEADING.fullmatch(line)
        if title:
            named = next(part for part in title.groups() if part)
            heading, lead = named.rstrip().rstrip("#").rstrip() if title["marks"] else named, ""
        elif not inside and line.strip() and not _LIST_MARK.match(line):
            lead = line.strip() if line.rstrip("*_ ").endswith(":") else ""
        found.append(_Line(start, heading, lead, inside or title is not None))
        if closing and closing in line.lower():
            closing = ""
        fenced = fenced != fence
        start += len(line) + 1
    return found


def _unwrapped(text: str) -> str:
    """Replace each line end inside a sentence with a space: the length is unchanged, so positions stay valid."""
    lines = text.split("\n")
    return "".join(_joined(lines)).removesuffix("\n")


def _joined(lines: list[str]) -> Iterator[str]:
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        yield line
        yield " " if _goes_on(line, after) else "\n"


def _goes_on(line: str, after: str) -> bool:
    """Whether the sentence at the end of a line continues on the line `after` it."""
    if _HEADING.fullmatch(line) or not after.strip():
        return False
    if any(mark.match(after) for mark in (_LIST_MARK, _HEADING, _FENCE, _TAG)):
        return False
    end, start = line.rstrip(), after.lstrip()
    if end.endswith(":"):
        item = _LIST_MARK.match(line)
        inside = item is not None and len(after) - len(start) >= len(item.group())  # within the same list item
        return (inside or _ENUMERATION.match(start) is not None) and not _starts_demand(start)
    if _UNFINISHED.search(end):
        return True
    wrapped = len(line) >= _WRAPPED_FROM and end[-1:] not in ".!?;"
    return wrapped and (start[0].islower() or start[0].isdigit())


def _starts_demand(text: str) -> bool:
    """Whether a line starts with a demand of its own, rather than with an item such as “open, closed”."""
    return is_demand(text) and re.match(r"(?!always|never)\w+,", text, re.IGNORECASE) is None
