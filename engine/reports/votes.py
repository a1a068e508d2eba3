"""A person's votes on answers compared in the chat, as a section of the report. Pure."""

from engine.evaluation.preference import PairStanding
from engine.reports.document import IntervalRow, Intervals, Section, Words
from engine.reports.facts import ReportFacts
from engine.reports.numbers import of_rate
from engine.wording import counted


def votes(facts: ReportFacts) -> Section | None:
    """How often each arm was preferred, one row per pair of arms; None without votes."""
    pairs = facts.proof.votes
    if not pairs:
        return None
    total = sum(pair.standing.votes for pair in pairs)
    blind = sum(pair.standing.blind for pair in pairs)
    rows = tuple(
        IntervalRow(
            f"{pair.first} over {pair.second}",
            (None if pair.standing.win_rate is None else of_rate(pair.standing.win_rate),),
            aside=_counts(pair),
        )
        for pair in pairs
    )
    words = (
        f"{counted(total, 'vote')} in the chat, {blind:,} of them blind. The figures are the share of the first arm "
        "among the votes that preferred one answer, in %, with a 95\u00a0% Wilson interval; at 50\u00a0%, neither is "
        "preferred."
    )
    table = Intervals(
        "Votes for the first of two arms, %", "pair of arms", (("preferred", "main"),), rows, "for, against, tie, bad"
    )
    return Section("votes", "Human votes", (Words(words), table))


def _counts(pair: PairStanding) -> str:
    found = pair.standing
    return f"{found.first:,}, {found.second:,}, {found.ties:,}, {found.both_bad:,}"
