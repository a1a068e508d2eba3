"""A server's address and the token it requires, in one small file in its job's folder that only its owner can read."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine.paths import write_atomically
from engine.redact import register_secret

ADDRESS_FILE = "server.json"


@dataclass(frozen=True, slots=True)
class Address:
    """What a client needs. The token is not shown by `repr`."""

    base_url: str
    token: str = field(repr=False)


def write_address(job_folder: Path, address: Address) -> None:
    """Write the address where `read_address` finds it, mode 0600. Raises `StoreError`."""
    write_atomically(job_folder / ADDRESS_FILE, json.dumps({"version": 1, **asdict(address)}).encode())


def read_address(job_folder: Path) -> Address | None:
    """Return the address of the server whose job has this folder; None before it listens and after it ends."""
    try:
        row: object = json.loads((job_folder / ADDRESS_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("base_url", "token")):
        return None
    register_secret(row["token"])
    return Address(row["base_url"], row["token"])


def remove_address(job_folder: Path) -> None:
    """Remove the file: the server is gone."""
    (job_folder / ADDRESS_FILE).unlink(missing_ok=True)
