"""What a generation could not get answered, read from its log."""

from collections import Counter
from pathlib import Path

from engine.jobs.follow import latest_progress, read_all
from engine.jobs.protocol import AnswerEnded


def unanswered(folder: Path) -> Counter[str]:
    """Return how many answers the generation in `folder` did not get in the end, by the kind of failure."""
    progress = latest_progress(folder)
    if progress is None or not progress.failed:
        return Counter()
    faults: dict[str, str] = {}
    for stamped in read_all(folder):
        if isinstance(event := stamped.event, AnswerEnded) and not event.again:
            faults[event.stream] = event.fault  # a resumed job asks again, which may succeed
    return Counter(filter(None, faults.values()))
