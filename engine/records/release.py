"""Releases: what was exported for use elsewhere. Knows nothing of how it is written."""

from dataclasses import dataclass
from typing import Literal

ReleaseKind = Literal["adapter", "merged", "gguf"]
GgufType = Literal["auto", "f32", "f16", "bf16", "q8_0"]  # auto: 16 bits, as the base is stored


@dataclass(frozen=True, slots=True)
class Parity:
    """How llama.cpp's answers with a GGUF file compare with the weights that it was made from.

    Log-probabilities are those of the tokens in llama.cpp's greedy answers, in nats.
    """

    questions: int
    tokens: int
    same_likeliest: int  # tokens that are also the most likely ones for the weights
    mean_difference: float  # mean absolute difference of a token's two log-probabilities
    largest_difference: float


@dataclass(frozen=True, slots=True)
class Release:
    """One export of one run. `folder` is relative to the project, or absolute if outside it."""

    id: int
    kind: ReleaseKind
    run_id: int
    folder: str
    sha256: str  # hash of the folder's SHA256SUMS
    created_at: str = ""
    parity: Parity | None = None  # None: not a GGUF, or not checked with llama.cpp


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """One file of a release, as listed in its SHA256SUMS. `size_bytes` is None if the file is missing."""

    name: str
    sha256: str
    size_bytes: int | None
