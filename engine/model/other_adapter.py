"""A second adapter beside the loaded one, for the duration of a block. Knows nothing of runs or prompts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from engine.errors import ModelError
from engine.model.adapter_files import check_adapter
from engine.model.load import attach
from engine.model.local_model import LocalModel

_OWN = "default"


@contextmanager
def other_adapter(
    local: LocalModel, folder: Path, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Hold the adapter of a peft folder in memory beside the model's own; yield a function that switches to it.

    That function returns a context manager; while inside it, the other adapter is active. `shapes` are those of the
    bare base (`parameter_shapes`). Raises `ModelError` if the adapter cannot be loaded.
    """
    if not isinstance(local.model, PeftModel):
        raise ModelError("The model has no adapter to load another one beside.", str(local.folder))
    check_adapter(folder, shapes)
    name = f"other-{len(local.model.peft_config)}"
    model = attach(local.model, folder, name)

    @contextmanager
    def switched() -> Iterator[None]:
        _switch(model, name)
        try:
            yield
        finally:
            _switch(model, _OWN)

    try:
        yield switched
    finally:
        model.delete_adapter(name)


def _switch(model: PeftModel, name: str) -> None:
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.set_adapter([name], inference_mode=True)
