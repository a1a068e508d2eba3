"""The seed of one answer, the same in every process. Standard library only; knows nothing of who answers."""

import hashlib


def answer_seed(seed: int, question_id: int, sample: int) -> int:
    """Return a seed for one answer, from 0 to 2⁶³ − 1, that depends only on the three arguments."""
    digest = hashlib.sha256(f"{seed} {question_id} {sample}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1
