"""A run's metrics, mirrored to TensorBoard, Weights & Biases or trackio through their own libraries.

A mirror only listens. Each has its own thread, so that a slow one never delays a step; one that fails is reported once
and gets no more metrics. All data stays on this machine, in files beside the run, unless the library's own variables
say otherwise. No prompt, question or answer is passed on. Knows nothing of what is measured, and imports a library
only to use it.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from queue import Full, Queue
from typing import Any, Protocol

from engine.errors import TrainingError
from engine.records.options import MirrorName

_WAITING_AT_MOST = 10_000  # points; a library that falls this far behind gets no more
_CLOSES_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class About:
    """What a mirror is told about the run."""

    project: str
    run: str
    config: Mapping[str, object]
    folder: Path  # for its files


class Mirror(Protocol):
    """The interface to one library's metrics."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


def require_libraries(names: Sequence[MirrorName]) -> None:
    """Raise `TrainingError` if the library of one of these mirrors is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise TrainingError(
                f"{name} is not installed.",
                f"--mirror {name} needs it.",
                f"Install it: pip install 'distill-tui[{name}]', or uv sync --extra {name}; or train without --mirror.",
            )


class Mirrors:
    """The mirrors of one run. `on_fault` is called with a sentence, from any thread, once per mirror that fails."""

    def __init__(self, names: Sequence[MirrorName], about: About, on_fault: Callable[[str], None]) -> None:
        self._listeners = [_Listener(name, about, on_fault) for name in dict.fromkeys(names)]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Pass on what was measured at a step, without waiting."""
        for listener in self._listeners:
            listener.tell(step, values)

    def close(self) -> None:
        """Let all mirrors write what they still have; a library that takes too long is abandoned."""
        for listener in self._listeners:
            listener.end()


class _Listener:
    def __init__(self, name: MirrorName, about: About, on_fault: Callable[[str], None]) -> None:
        self._name, self._about, self._on_fault = name, about, on_fault
        self._points: Queue[tuple[int, dict[str, float]] | None] = Queue(_WAITING_AT_MOST)
        self._failed = False
        self._thread = threading.Thread(target=self._listen, name=f"mirror-{name}", daemon=True)

    def tell(self, step: int, values: Mapping[str, float]) -> None:
        if self._failed:
            return
        if self._thread.ident is None:  # at the first point, so that its step is known
            self._thread.start()
        try:
            self._points.put_nowait((step, dict(values)))
        except Full:
            self._fail("it cannot keep up")

    def end(self) -> None:
        if self._thread.ident is None or self._failed:
            return
        try:
            self._points.put_nowait(None)
        except Full:
            self._fail("it cannot keep up")
            return
        self._thread.join(_CLOSES_WITHIN_S)
        if self._thread.is_alive():
            self._fail(f"it did not close within {_CLOSES_WITHIN_S:.0f} s")

    def _listen(self) -> None:
        try:
            point = self._points.get()
            if point is None:
                return
            mirror = _OPEN[self._name](self._about, point[0])
            while point is not None and not self._failed:
                mirror.log(*point)
                point = self._points.get()
            mirror.close()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a mirror's library does, the run goes on
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            self._on_fault(f"Metrics are no longer mirrored to {self._name}: {why}. The run continues.")


class _TensorBoard:
    def __init__(self, about: About, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # Later steps that an earlier process wrote are hidden: they will be repeated.
        self._writer = SummaryWriter(
            str(about.folder / "tensorboard"), purge_step=first_step if first_step > 1 else None
        )
        self._writer.add_text("config", "\n".join(f"    {name}: {value}" for name, value in about.config.items()))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, about: About, first_step: int) -> None:
        import wandb

        quiet: dict[str, Any] = {"silent": True, "console": "off", "disable_code": True, "disable_git": True}
        about.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=about.project,
            name=about.run,
            config=dict(about.config),
            dir=str(about.folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(**quiet),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class _Trackio:
    def __init__(self, about: About, first_step: int) -> None:
        import trackio

        trackio.init(project=about.project, name=about.run, config=dict(about.config), resume="allow")
        self._library = trackio

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._library.log(dict(values), step=step)

    def close(self) -> None:
        self._library.finish()


_OPEN: dict[MirrorName, Callable[[About, int], Mirror]] = {
    "tensorboard": _TensorBoard,
    "wandb": _Wandb,
    "trackio": _Trackio,
}
