"""Whether transformers finds kernels for the recurrent layers of a model on a GPU. Knows nothing of their results."""

from importlib.util import find_spec

from engine.model.local_model import LocalModel
from engine.model.prompt_cache import is_recurrent

_PACKAGES = {"fla": "flash-linear-attention", "causal_conv1d": "causal-conv1d", "mamba_ssm": "mamba-ssm"}


def kernels_note(local: LocalModel) -> str | None:
    """Return what the user should know if recurrent layers run on a GPU without any of these packages."""
    if local.device.type != "cuda" or not is_recurrent(local) or any(find_spec(name) for name in _PACKAGES):
        return None
    *some, last = _PACKAGES.values()
    return (
        f"The recurrent layers of this model run on transformers' slow reference code: there is neither "
        f"{', '.join(some)} nor {last}. The log says which of them it would use."
    )
