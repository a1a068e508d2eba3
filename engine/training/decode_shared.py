"""Answers of the student, sampled by all processes of a run together. Knows nothing of what they are for."""

from collections.abc import Sequence

from engine.model.decode import Decoded, NoProbabilities, decode
from engine.model.local_model import LocalModel
from engine.training.ranks import Ranks


def decode_shared(
    ranks: Ranks,
    student: LocalModel,
    rows: Sequence[Sequence[int]],
    *,
    temperature: float,
    max_new_tokens: Sequence[int],
    seeds: Sequence[int],
    batch_rows: int = 32,
) -> list[Decoded]:
    """As `decode`, with all answers on every rank. Each answer has its own seed, so any rank would sample the same.

    Raises `NoProbabilities` on every rank if one of them had nothing to sample from.
    """
    broken, own = False, list[Decoded]()
    with ranks.together():
        try:
            own = decode(
                student,
                ranks.share(rows),
                temperature=temperature,
                max_new_tokens=ranks.share(max_new_tokens),
                seeds=ranks.share(seeds),
                batch_rows=batch_rows,
                local_processes=ranks.neighbours,
            )
        except NoProbabilities:
            broken = True
    if ranks.which(broken):
        raise NoProbabilities
    return ranks.gather(Decoded, own)
