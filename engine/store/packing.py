"""Token ids and flags as bytes: four little-endian bytes per id, one byte per flag. Knows nothing of tables."""

import sys
from array import array
from collections.abc import Sequence

_ID = "i"


def pack_ids(ids: Sequence[int]) -> bytes:
    """Return token ids as bytes. Raises `OverflowError` for an id that needs more than 32 bits."""
    packed = array(_ID, ids)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack_ids(data: bytes) -> tuple[int, ...]:
    """The inverse of `pack_ids`."""
    packed = array(_ID)
    packed.frombytes(data)
    if sys.byteorder == "big":
        packed.byteswap()
    return tuple(packed)


def pack_flags(flags: Sequence[bool]) -> bytes:
    """Return flags as bytes."""
    return bytes(map(int, flags))


def unpack_flags(data: bytes) -> tuple[bool, ...]:
    """The inverse of `pack_flags`."""
    return tuple(map(bool, data))
