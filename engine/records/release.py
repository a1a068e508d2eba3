"""Releases: what left the project for use elsewhere. Knows nothing of how it is written."""

from dataclasses import dataclass
from typing import Literal

ReleaseKind = Literal["adapter", "merged", "gguf"]
GgufType = Literal["auto", "f32", "f16", "bf16", "q8_0"]  # auto: 16 bits, as the base is stored


@dataclass(frozen=True, slots=True)
class Parity:
    """How llama.cpp answers with a GGUF file, beside the weights that it was made from.

    Log-probabilities are of the tokens of its own greedy answers, in nats.
    """

    questions: int
    tokens: int
    same_likeliest: int  # of the tokens, those that these weights find likeliest too
    mean_difference: float  # between the two log-probabilities of a token, without its sign
    largest_difference: float


@dataclass(frozen=True, slots=True)
class Release:
    """One export of one run. `folder` is absolute where it lies outside the project, else relative to it."""

    id: int
    kind: ReleaseKind
    run_id: int
    folder: str
    sha256: str  # of the folder's SHA256SUMS
    created_at: str = ""
    parity: Parity | None = None  # None: no GGUF, or nobody asked llama.cpp


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """One file of a release, as its SHA256SUMS names it; `size_bytes` is None where it is gone."""

    name: str
    sha256: str
    size_bytes: int | None
