"""Problems of a prompt, found by simple heuristics: precise rather than complete, because a false alarm costs trust.

Finds vague, untestable, contradictory and duplicate demands, outdated rules, example turns that break rules, text that
changes with each request, and a length that does not pay or does not fit. Only English is read; prompts in other
languages are checked only for rules, variables and length. Pure; knows nothing of the store, of files or of models.
"""

import re
from collections.abc import Iterator, Sequence

from engine.prompts.checkable import checks_of
from engine.prompts.conflicts import find_conflicts
from engine.prompts.demands import Demand, read_demands
from engine.prompts.documents import first_lines
from engine.prompts.outdated import find_outdated
from engine.prompts.variables import find_variables
from engine.records.finding import Finding
from engine.records.prompt import SHORT_PROMPT_TOKENS, Prompt
from engine.records.rule import Rule
from engine.rules.checks import check_answer

ANSWER_ROOM_TOKENS = 256  # context reserved for a question and its answer

_HEDGES = re.compile(
    r"\b(?:(?:try|strive|aim) (?:your best )?to|do your best|if (?:at all )?possible|and so on|etc\b\.?"
    r"|(?:where|when|if|as) (?:appropriate|suitable|needed|necessary|applicable|relevant|reasonable)"
    r"|(?:where|wherever|whenever|as (?:much|far) as) possible|use your (?:best |own |good )?judge?ment"
    r"|use common sense|as you see fit|in general|more or less|or something)",
    re.IGNORECASE,
)
_QUALITIES = (
    "helpful kind friendly nice professional polite good great excellent accurate useful clear engaging thoughtful "
    "smart intelligent natural human warm careful creative reasonable appropriate fair honest respectful positive "
    "empathetic high-quality precise sensible relevant informative"
)
_PLEASE = r"(?:please |always |you (?:must|should) (?:always )?)*"
_ANSWERS = r"(?:answers?|repl(?:y|ies)|responses?)"
_LENGTHS = "brief|short|concise|succinct|long|detailed|terse|to the point"
_NAMED = "|".join(_QUALITIES.split())
_QUALITY = rf"(?:(?:very|always|as|really|extremely|also) )*(?:{_NAMED}|{_LENGTHS})(?: as possible)?"
_BARE_QUALITY = re.compile(  # one quality at least: lengths alone are told apart below
    rf"(?=.*\b(?:{_NAMED})\b)"
    rf"{_PLEASE}(?:be|stay|remain|sound|act|keep (?:it|answers|your answers)|{_ANSWERS} (?:must|should) be|give|provide"
    rf"|write)(?: an?)? {_QUALITY}(?:(?:,| and|, and| but| yet) {_QUALITY})*(?: (?:{_ANSWERS}|manner|tone))?"
    r"(?: at all times| to (?:the )?(?:users?|customers?))?[.!]?",
    re.IGNORECASE,
)
_BARE_LENGTH = re.compile(
    rf"{_PLEASE}(?:be|stay|keep (?:it|(?:all |your |the )?{_ANSWERS})|give|write|provide|{_ANSWERS} (?:must|should) be)"
    rf"(?: an?)? (?:very |as )?(?P<word>{_LENGTHS})(?: as possible)?"
    rf"(?: {_ANSWERS})?[.!]?",
    re.IGNORECASE,
)
_INNER = re.compile(
    rf"{_PLEASE}(?:think (?:carefully|hard|deeply|before|about)|understand|reflect|keep in mind|be aware|feel|imagine"
    r"|care about|take (?:a deep breath|your time)|pay (?:close )?attention|know (?:that|your))\b",
    re.IGNORECASE,
)


def lint_prompt(prompt: Prompt, rules: Sequence[Rule] = ()) -> tuple[Finding, ...]:
    """Return all findings except those on length, ordered by line.

    `rules`: the project's rules, with which the example turns are checked; without any, the checks that the prompt's
    own sentences clearly ask for are used. Raises UsageError for a rule that cannot be checked.
    """
    demands = read_demands(prompt)
    found = [
        *_vague(demands, rules),
        *find_conflicts(demands),
        *find_outdated(prompt, demands, rules),
        *_examples(prompt, demands, rules),
        *_variables(prompt),
    ]
    return tuple(sorted(found, key=lambda finding: finding.line))


def lint_length(tokens: int, context_tokens: int | None, base: str) -> tuple[Finding, ...]:
    """Return the findings on a prompt's length. `context_tokens`: the base's context length; None if unknown."""
    if tokens < SHORT_PROMPT_TOKENS:
        problem = f"The prompt has {tokens} tokens; a request saves at most that many."
        suggestion = "Whether that pays depends on prices and traffic: run `distill-tui estimate`."
        return (Finding("short", 0, "", problem, suggestion),)
    if context_tokens is not None and tokens + ANSWER_ROOM_TOKENS > context_tokens:
        problem = (
            f"The prompt takes {tokens} of the {context_tokens} tokens of context of {base}, which leaves no room for "
            "a question and its answer. The student never reads it, but a local teacher and the prompted arm do."
        )
        return (Finding("length", 0, "", problem, "Use an endpoint as teacher, or a base with a longer context."),)
    return ()


def _vague(demands: Sequence[Demand], rules: Sequence[Rule]) -> Iterator[Finding]:
    measured = any(rule.check.kind == "length" for rule in rules) or any(
        check.kind == "length" for demand in demands for check in checks_of(demand.text)
    )
    for demand in demands:
        hedge = _HEDGES.search(demand.text)
        if checks_of(demand.text):
            continue
        if hedge is not None and not _quoted(demand.text, hedge):
            problem = f"“{hedge.group()}” lets the model decide whether the demand applies."
            yield Finding(
                "vague", demand.line, demand.text, problem, "Say when it applies and when it does not, or remove it."
            )
        elif _BARE_QUALITY.fullmatch(demand.text):
            problem = "It names a quality that cannot be measured in an answer."
            yield Finding(
                "untestable",
                demand.line,
                demand.text,
                problem,
                "Describe what such an answer looks like: words, form, length.",
            )
        elif (length := _BARE_LENGTH.fullmatch(demand.text)) and not measured:
            problem = f"“{length['word']}” is not a length that an answer can be checked against."
            yield Finding(
                "vague",
                demand.line,
                demand.text,
                problem,
                "Give a minimum and a maximum number of words, sentences or lines.",
            )
        elif _INNER.match(demand.text):
            problem = "It describes what happens inside the model, which no answer shows."
            yield Finding(
                "untestable", demand.line, demand.text, problem, "Say how it shows in the answer, or remove it."
            )


def _quoted(text: str, found: "re.Match[str]") -> bool:
    return any(
        span.start() < found.start() < span.end() for span in re.finditer(r"«[^»]*»|\"[^\"]*\"|“[^”]*”|`[^`]*`", text)
    )


def _examples(prompt: Prompt, demands: Sequence[Demand], rules: Sequence[Rule]) -> Iterator[Finding]:
    lines = first_lines(prompt)
    answers = [index for index, message in enumerate(prompt.messages) if message.role == "assistant"]
    held = [(rule, f"rule {rule.id}") for rule in rules]
    if not rules:
        plain = [demand for demand in demands if not demand.conditional and not demand.scope]
        held = [
            (Rule(0, demand.text, check), f"line {demand.line}") for demand in plain for check in checks_of(demand.text)
        ]
    for number, index in enumerate(answers, 1):
        answer = prompt.messages[index].content
        for rule, name in held:
            for result in check_answer((rule,), answer):
                if result.passed:
                    continue
                problem = f"The answer of example turn {number} breaks {name}, “{rule.text}”: {result.note}."
                advice = "Fix the answer or the rule: a model learns from its examples."
                yield Finding("example", lines[index], answer, problem, advice)


def _variables(prompt: Prompt) -> Iterator[Finding]:
    lines = first_lines(prompt)
    for message, first in zip(prompt.messages, lines, strict=True):
        line, counted_to = first, 0
        for variable in find_variables(message.content):
            line += message.content.count("\n", counted_to, variable.start)
            counted_to = variable.start
            what = "It is true on one day only" if variable.is_date else "It changes with each request"
            problem = f"{what}, so it cannot be distilled: the student would learn one fixed value."
            yield Finding("variable", line, variable.name, problem, "Move it from the prompt to the question.")
