"""Another adapter in the place of the one that is loaded, for a while. Knows nothing of runs or prompts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from engine.errors import ModelError
from engine.model.adapter_files import check_adapter
from engine.model.load import attach
from engine.model.local_model import LocalModel

_OWN, _OTHER = "default", "other"


@contextmanager
def other_adapter(local: LocalModel, folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[None]:
    """While inside, the adapter of a peft folder answers instead of the model's own; it leaves the memory afterwards.

    `shapes` are those of the bare base (`parameter_shapes`). Raises `ModelError` where it cannot be loaded.
    """
    if not isinstance(local.model, PeftModel):
        raise ModelError("There is no adapter to put another one beside.", str(local.folder))
    check_adapter(folder, shapes)
    model = attach(local.model, folder, _OTHER)
    try:
        _switch(model, _OTHER)
        yield
    finally:
        _switch(model, _OWN)
        model.delete_adapter(_OTHER)


def _switch(model: PeftModel, name: str) -> None:
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.set_adapter([name], inference_mode=True)
