"""What a job printed: the end of its `log.txt`, which its worker writes with secrets masked. The text is foreign."""

import os
from contextlib import suppress
from pathlib import Path

from engine.jobs.launch import LOG_FILE

END_BYTES = 100_000


def end_of_log(folder: Path) -> str:
    """Return the last complete lines in a job's `folder`, at most `END_BYTES`; empty if it printed nothing."""
    with suppress(OSError), (folder / LOG_FILE).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - END_BYTES, 0))
        text = file.read().decode("utf-8", errors="replace")
        return text.partition("\n")[2] if size > END_BYTES else text
    return ""
