"""Releases: what left the project for use elsewhere. Knows nothing of how it is written."""

from dataclasses import dataclass
from typing import Literal

ReleaseKind = Literal["adapter", "merged"]


@dataclass(frozen=True, slots=True)
class Release:
    """One export of one run. `folder` is absolute where it lies outside the project, else relative to it."""

    id: int
    kind: ReleaseKind
    run_id: int
    folder: str
    sha256: str  # of the folder's SHA256SUMS
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """One file of a release, as its SHA256SUMS names it; `size_bytes` is None where it is gone."""

    name: str
    sha256: str
    size_bytes: int | None
