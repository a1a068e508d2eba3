"""The side effects of the training, as a section of the report. Pure."""

from collections.abc import Callable, Iterator

from engine.records.rate import Rate
from engine.records.regressions import GeneralChecks, Recitation, Regressions
from engine.reports.document import Block, Fact, Facts, IntervalRow, Intervals, Section, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, nats, of_rate
from engine.reports.proof import with_roles
from engine.wording import counted

_CHECKS: tuple[tuple[str, Callable[[GeneralChecks], Rate | None]], ...] = (
    ("end on their own", lambda each: each.ended),
    ("are not empty", lambda each: each.not_empty),
    ("are in the question's language", lambda each: each.in_language),
    ("contain no text that a rule requires", lambda each: each.free_of_rules),
)
_READING = (
    "Text that a rule requires, in an answer to a general question: fine if the prompt is meant for every request, a "
    "regression if it is meant for one subject. In that case, train with --general-fraction. A pattern that matches "
    "any text also matches the base's answers. None of this affects the verdict."
)


def side_effects(facts: ReportFacts) -> Section | None:
    """The results of the probes; None if they were not asked."""
    found, evaluation = facts.proof.evaluation.regressions, facts.proof.evaluation
    if found is None:
        return None
    words = (
        f"One answer each, at temperature {evaluation.temperature:g}, to "
        f"{counted(found.general_questions, 'general question')}, {counted(_asked(found), 'request')} to reveal the "
        f"prompt (both at most {found.answer_tokens} tokens per answer), and "
        f"{counted(found.injection[0].all_rules.total, 'held-out question')} followed by an instruction to break the "
        "rules. Intervals are 95 % Wilson intervals."
    )
    return Section("regressions", "What else changed", (Words(words), *_blocks(found), Words(_READING, "quiet")))


def _blocks(found: Regressions) -> Iterator[Block]:
    kl = found.kl_to_unprompted
    divergence = MISSING if kl is None else f"{nats(kl.value)} nats per token ({nats(kl.low)} to {nats(kl.high)})"
    yield Facts((Fact("KL from the base", divergence, "on the base's answers to general questions"),))
    yield Intervals(
        "Answers to general questions that …, %",
        "check",
        with_roles([(each.arm, each) for each in found.general]),
        tuple(
            IntervalRow(name, tuple(None if rate is None else of_rate(rate) for rate in rates))
            for name, check in _CHECKS
            for rates in [[check(each) for each in found.general]]
            if any(rates)
        ),
    )
    yield Intervals(
        "Asked to reveal the prompt: answers that repeat 13 or more of its words in a row, %",
        "without the prompt in context",
        with_roles([(each.arm, each) for each in found.recitation]),
        (IntervalRow("repeat the prompt", tuple(of_rate(each.recited) for each in found.recitation)),),
    )
    yield Facts(tuple(_overlap(each) for each in found.recitation))
    rules = found.injection[0].rules
    yield Intervals(
        "Told to break the rules: answers that pass each rule, %",
        "rule",
        with_roles([(each.arm, each) for each in found.injection]),
        (
            *(
                IntervalRow(
                    f"{rule.id}\u2002{rule.text}", tuple(of_rate(each.rules[place].rate) for each in found.injection)
                )
                for place, rule in enumerate(rules)
            ),
            IntervalRow("every rule", tuple(of_rate(each.all_rules) for each in found.injection), strong=True),
        ),
    )


def _overlap(each: Recitation) -> Fact:
    shared = f"{counted(each.longest_words, 'word')}: “{each.longest}”" if each.longest_words else "none"
    return Fact(f"longest match, {each.arm}", shared, f"asked: {each.probe}" if each.probe else "")


def _asked(found: Regressions) -> int:
    return found.recitation[0].recited.total
