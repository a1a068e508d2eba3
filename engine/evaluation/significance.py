"""Exact tests of paired outcomes, and the correction for a family of them. Pure; needs no library."""

from collections.abc import Sequence

ALPHA = 0.05  # for a family of tests


def mcnemar_exact(better: int, worse: int) -> float:
    """The two-sided p value of the exact McNemar test of two discordant counts: a binomial of one half.

    With several samples per question, the counts are of questions that lean one way, and this is the sign test over
    them: samples of one question are not independent, questions are. 1.0 if none is discordant.
    Source: McNemar 1947; the exact form, e.g. Agresti, “Categorical Data Analysis”, 10.1.
    """
    discordant, fewer = better + worse, min(better, worse)
    tail = term = 1  # each binomial coefficient from the previous one: computed separately, thousands take minutes
    for count in range(fewer):
        term = term * (discordant - count) // (count + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << discordant))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values, corrected so that any one of them is falsely below α with probability at most α.

    Source: Holm 1979, the step-down method; compare each returned value with α directly.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected
