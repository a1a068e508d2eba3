"""What a judge decided, as a section of the report. Pure."""

from collections.abc import Iterator

from engine.records.judging import Judged
from engine.records.preference import Preference
from engine.reports.document import Block, Fact, Facts, Section, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import MISSING, interval, share
from engine.wording import counted


def judged(facts: ReportFacts) -> Section | None:
    """What the judge decided, and how reliable that is; None without a judge."""
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
        f"{found.judge} judged {'rules' if len(rubrics) > 1 else 'rule'} {', '.join(map(str, rubrics))} by rubric, "
        f"at temperature 0: {counted(found.verdicts, 'verdict')} on the answers of all arms."
    )
    if found.missing:
        yield Words(
            f"{counted(found.missing, 'request')} got no verdict and {'is' if found.missing == 1 else 'are'} not "
            f"counted ({found.fault}). Evaluate again to retry.",
            "bad",
        )
    if found.kin_to:
        yield Words(
            f"By its name, the judge is of the same model family as the teacher ({found.kin_to}): it may favour "
            "answers like its own.",
            "open",
        )


def _preference(found: Preference) -> Iterator[Block]:
    pairs = found.wins + found.ties + found.losses
    yield Words(
        f"{found.judge} compared {found.arm} with {found.against} on {counted(pairs, 'held-out question')}, each in "
        "both orders. If the two orders disagree, the pair is a tie, which counts as half a win. The length-controlled "
        "rate is the win rate at equal answer lengths, by logistic regression on the difference. Intervals are 95 %."
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
            found.length_note
            or f"{found.arm} answers are {abs(found.longer_characters):,.0f} characters {more} on average",
        ),
        Fact(
            "affected by the order",
            share(found.flipped.rate) if found.flipped.total else MISSING,
            f"{found.flipped.passed:,} of {found.flipped.total:,} pairs: it preferred the position, not the answer",
        ),
    ]
    if found.agreement is not None:
        same = found.agreement.same
        kappa = MISSING if found.agreement.kappa is None else f"{found.agreement.kappa:.2f}"
        rows.append(
            Fact(
                "agrees with human votes",
                share(same.rate),
                f"{same.passed:,} of {same.total:,} pairs; Cohen's kappa {kappa}",
            )
        )
    yield Facts(tuple(rows))
    if found.missing:
        yield Words(f"{counted(found.missing, 'pair')} got no verdict ({found.fault}).", "bad")
