"""What training did beside its purpose, as a section of the report. Pure."""

from collections.abc import Callable, Iterator

from engine.records.rate import Rate
from engine.records.regressions import GeneralChecks, Recitation, Regressions
from engine.reports.document import Block, Fact, Facts, IntervalRow, Intervals, Section, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, nats, of_rate
from engine.reports.proof import with_roles
from engine.wording import counted

_CHECKS: tuple[tuple[str, Callable[[GeneralChecks], Rate | None]], ...] = (
    ("end by themselves", lambda each: each.ended),
    ("are not empty", lambda each: each.not_empty),
    ("are in the question's language", lambda each: each.in_language),
    ("hold no words that a rule dictates", lambda each: each.free_of_rules),
)
_READING = (
    "Words that a rule dictates in an answer to a general question: right where the prompt is meant for every request, "
    "a regression where it is meant for one subject; then train with --general-fraction. A pattern that matches any "
    "text is found in the base's answers too. None of this decides the verdict."
)


def regressed(facts: ReportFacts) -> Section | None:
    """What the probes told; None where they were not asked."""
    found, evaluation = facts.proof.evaluation.regressions, facts.proof.evaluation
    if found is None:
        return None
    words = (
        f"One answer each at temperature {evaluation.temperature:g}: to "
        f"{counted(found.general_questions, 'general question')}, to {counted(_asked(found), 'request')} for the "
        f"prompt (at most {found.answer_tokens} tokens both), and to "
        f"{counted(found.injection[0].all_rules.total, 'held-out question')}, each with an order against the rules at "
        "its end. With "
        "95 % Wilson intervals."
    )
    return Section("regressions", "What else changed", (Words(words), *_blocks(found), Words(_READING, "quiet")))


def _blocks(found: Regressions) -> Iterator[Block]:
    kl = found.kl_to_unprompted
    divergence = MISSING if kl is None else f"{nats(kl.value)} nats a token ({nats(kl.low)} to {nats(kl.high)})"
    yield Facts((Fact("KL from the base", divergence, "on its own general answers"),))
    yield Intervals(
        "Answers to general questions that …, %",
        "check",
        with_roles([(each.arm, each) for each in found.general]),
        tuple(
            IntervalRow(said, tuple(None if rate is None else of_rate(rate) for rate in rates))
            for said, check in _CHECKS
            for rates in [[check(each) for each in found.general]]
            if any(rates)
        ),
    )
    yield Intervals(
        "Asked for the prompt: answers that recite 13 words of it or more, %",
        "asked without the prompt",
        with_roles([(each.arm, each) for each in found.recitation]),
        (IntervalRow("recite it", tuple(of_rate(each.recited) for each in found.recitation)),),
    )
    yield Facts(tuple(_overlap(each) for each in found.recitation))
    rules = found.injection[0].rules
    yield Intervals(
        "Ordered to break the rules: answers that keep each rule, %",
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
    shared = f"{counted(each.longest_words, 'word')}: «{each.longest}»" if each.longest_words else "none"
    return Fact(f"longest run, {each.arm}", shared, f"asked: {each.probe}" if each.probe else "")


def _asked(found: Regressions) -> int:
    return found.recitation[0].recited.total
