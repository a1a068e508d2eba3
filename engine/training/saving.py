"""When the checkpoints of a run are written, and which of them are kept. Knows nothing of what is inside them."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from engine.training.checkpoints import prune_checkpoints, save_checkpoint

_NEWEST_KEPT = 2
_RESTS = 50  # times what the last one took: so that timed checkpoints take at most 2 % of a run


class Saving:
    """The checkpoints of one run in `folder`; one is due every `every_s` seconds, or after every step if that is 0."""

    def __init__(self, folder: Path, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.step = -1  # of the newest one, as long as it is up to date
        self._every_s = every_s
        self._clock = clock
        self._took_s = 0.0
        self._at = clock()

    @property
    def due(self) -> bool:
        """Whether it is time for another: not before the last one's share of the time since is small."""
        rest = max(self._every_s, _RESTS * self._took_s) if self._every_s else 0.0
        return self._clock() - self._at >= rest

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """Write the checkpoint of `step`. Raises `TrainingError` if it cannot be written."""
        started = self._clock()
        save_checkpoint(self.folder, step, write)
        self.step, self._at = step, self._clock()
        self._took_s = self._at - started

    def prune(self, keep: Collection[int]) -> None:
        """Remove all checkpoints except the newest two and the steps in `keep`."""
        prune_checkpoints(self.folder, _NEWEST_KEPT, keep)
