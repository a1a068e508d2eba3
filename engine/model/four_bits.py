"""What a base in four bits needs of a machine. No model library: asked before a job is started, and when it loads."""

from importlib.util import find_spec

from engine.errors import ModelError


def require_four_bits(device: str, *, on_gpu: bool) -> None:
    """Raise `ModelError` where `device` is no GPU, or what holds weights in four bits is not installed."""
    if not on_gpu:
        raise ModelError(
            "A base in four bits needs an NVIDIA GPU.",
            f"The device is {device}: there it would save little and take many times longer.",
            "Train with --quantize-base none, on a smaller base, or on a machine with a GPU.",
        )
    require_bitsandbytes()


def require_bitsandbytes() -> None:
    """Raise `ModelError` where it is not installed."""
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "bitsandbytes is not installed.",
            "It holds the base in four bits.",
            "Install it: pip install 'distill-tui[qlora]', or uv sync --extra qlora.",
        )
