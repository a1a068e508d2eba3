"""Several adapters over one base in memory: at most one is active at a time, at any strength.

Every switch sets everything that affects the answer, the adapter and its scale in each layer, so that no state carries
over from one request to the next. Knows nothing of runs or prompts.
"""

from pathlib import Path

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor

from engine.errors import ModelError
from engine.model.adapter_files import check_adapter, holds_whole_layers, weights_sha256
from engine.model.load import attach, parameter_shapes
from engine.model.local_model import LocalModel
from engine.model.whole_layers import WholeLayers
from engine.wording import percent

KEPT = 8  # adapters in memory; the least recently used one is evicted
KEPT_WHOLE = 2  # of these, adapters of whole layers, each nearly as large as the base
_TRIES = 3


class Adapters:
    """The adapters of one loaded base, by the SHA-256 of their weights."""

    def __init__(self, local: LocalModel) -> None:
        """Take over `local`, a base without adapters; the first adapter changes its layers in place."""
        self._local = local
        self._shapes = parameter_shapes(local)
        self._base = WholeLayers(local)
        self._whole: dict[str, dict[str, Tensor]] = {}  # layers by hash
        self._peft: PeftModel | None = None
        self._layers: list[LoraLayer] = []
        self._used: dict[str, None] = {}  # hashes, least recently used first
        self._switched: tuple[str, float] | None = None  # None: unknown, as loading or deleting may have changed it

    def load(self, folder: Path, in_use: frozenset[str] = frozenset()) -> str:
        """Load the adapter of a peft folder into memory; return the hash of exactly the weights that were loaded.

        A folder that was loaded before is read again only if its weights have changed. Adapters `in_use` are never
        evicted. Raises `ModelError` if it cannot be loaded, or keeps changing.
        """
        for _ in range(_TRIES):
            sha256 = weights_sha256(folder)
            if sha256 in self._used:
                self._used[sha256] = self._used.pop(sha256)
                return sha256
            check_adapter(folder, self._shapes)
            self.switch("", 0.0)
            self._switched = None
            if holds_whole_layers(folder):
                self._whole[sha256] = self._base.read(folder)
            else:
                self._peft = attach(self._peft or self._local.base, folder, sha256)
                self._layers = [layer for layer in self._peft.modules() if isinstance(layer, LoraLayer)]
            if weights_sha256(folder) == sha256:
                self._used[sha256] = None
                self._make_room(in_use | {sha256})
                return sha256
            self._delete(sha256)  # replaced while it was read: what was loaded is unknown
        raise ModelError(
            "Cannot load the adapter.",
            f"{folder}: it keeps changing while it is read.",
            "Ask again when its training has finished.",
        )

    def switch(self, sha256: str, strength: float) -> None:
        """Switch the model to the base plus `strength` (0 to 1) times this adapter, which must be loaded.

        An empty hash, or strength 0, means the base alone. Raises `ModelError` for a DoRA adapter or whole layers at a
        strength strictly between 0 and 1.
        """
        wanted = (sha256, strength) if sha256 and strength else ("", 0.0)
        if wanted == self._switched:
            return
        if 0 < strength < 1 and any(sha256 in layer.lora_magnitude_vector for layer in self._layers):
            # Its magnitudes replace the base's, so scaling the rest does not interpolate between the two.
            raise ModelError(
                "A DoRA adapter supports only strengths 0 and 100 %.",
                f"The request was for {percent(strength)}.",
                "Use 0 or 100 %.",
            )
        if 0 < strength < 1 and sha256 in self._whole:
            raise ModelError(
                "An adapter of whole layers supports only strengths 0 and 100 %.",
                f"The request was for {percent(strength)}.",
                "Use 0 or 100 %.",
            )
        self._switched = None  # until every layer is switched
        self._base.put(self._whole.get(wanted[0], {}))
        active = [sha256] if wanted[0] and wanted[0] not in self._whole else []
        for layer in self._layers:
            layer.set_adapter(active, inference_mode=True)
            if active:
                layer.set_scale(sha256, strength)
        self._switched = wanted

    def _make_room(self, kept: frozenset[str]) -> None:
        spare = [old for old in self._used if old not in kept]
        whole = [old for old in spare if old in self._whole][: max(0, len(self._whole) - KEPT_WHOLE)]
        for sha256 in dict.fromkeys([*whole, *spare[: max(0, len(self._used) - KEPT)]]):
            self._delete(sha256)
            del self._used[sha256]

    def _delete(self, sha256: str) -> None:
        self._switched = None
        self.switch("", 0.0)  # peft would activate another adapter in place of a deleted active one
        if self._whole.pop(sha256, None) is None and self._peft is not None:
            self._peft.delete_adapter(sha256)
            self._switched = None
