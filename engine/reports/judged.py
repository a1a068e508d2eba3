"""What a judge decided, as a section of the report. Pure."""

from collections.abc import Iterator

from engine.records.judging import Judged
from engine.records.preference import Preference
from engine.reports.document import Block, Fact, Facts, Section, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, interval, share
from engine.wording import counted


def judged(facts: ReportFacts) -> Section | None:
    """What was decided, and how far that can be relied on; None where nobody judged."""
    evaluation = facts.proof.evaluation
    blocks: list[Block] = []
    if evaluation.judged is not None:
        rubrics = [rule.id for rule in facts.proof.arm("distilled").rules if rule.kind == "rubric"]
        blocks += _rubrics(evaluation.judged, rubrics)
    if evaluation.preference is not None:
        blocks += _preference(evaluation.preference)
    return Section("judge", "The judge", tuple(blocks)) if blocks else None


def _rubrics(found: Judged, rubrics: list[int]) -> Iterator[Block]:
    yield Words(
        f"{found.judge} decided on {'rules' if len(rubrics) > 1 else 'rule'} {', '.join(map(str, rubrics))} by rubric, "
        f"at temperature 0: {counted(found.verdicts, 'verdict')} on the answers of all arms."
    )
    if found.missing:
        yield Words(
            f"No verdict came for {counted(found.missing, 'request')}, which count neither way ({found.fault}): "
            "evaluate again to ask for them.",
            "bad",
        )
    if found.kin_to:
        yield Words(f"By its name it is of the teacher's family ({found.kin_to}): it may prefer its like.", "open")


def _preference(found: Preference) -> Iterator[Block]:
    pairs = found.wins + found.ties + found.losses
    yield Words(
        f"{found.judge} compared {found.arm} with {found.against} on {counted(pairs, 'held-out question')}, each in "
        "both orders; a tie where they disagree, and half a win. Length-controlled: at equal lengths, by a logistic "
        "regression on the difference. With 95 % intervals."
    )
    more = "longer" if found.longer_characters >= 0 else "shorter"
    rows = [
        Fact(
            f"win rate of {found.arm}",
            MISSING if found.win_rate is None else interval(found.win_rate),
            f"{found.wins:,} won, {found.ties:,} tied, {found.losses:,} lost",
        ),
        Fact(
            "length-controlled",
            MISSING if found.length_controlled is None else interval(found.length_controlled),
            found.length_note or f"its answers are {abs(found.longer_characters):,.0f} characters {more} on average",
        ),
        Fact(
            "swayed by the order",
            share(found.flipped.rate) if found.flipped.total else MISSING,
            f"{found.flipped.passed:,} of {found.flipped.total:,} pairs: it preferred the place, not the answer",
        ),
    ]
    if found.agreement is not None:
        same = found.agreement.same
        kappa = MISSING if found.agreement.kappa is None else f"{found.agreement.kappa:.2f}"
        rows.append(
            Fact(
                "agrees with your votes",
                share(same.rate),
                f"{same.passed:,} of {same.total:,} pairs; Cohen's kappa {kappa}",
            )
        )
    yield Facts(tuple(rows))
    if found.missing:
        yield Words(f"No verdict came on {counted(found.missing, 'pair')} ({found.fault}).", "bad")
