"""What a base in four bits needs of a machine. No model library: checked before a job starts, and when it loads."""

from importlib.util import find_spec

from engine.errors import ModelError


def require_four_bits(device: str, *, on_gpu: bool) -> None:
    """Raise `ModelError` if `device` is not a GPU or bitsandbytes is not installed."""
    if not on_gpu:
        raise ModelError(
            "A base in four bits needs an NVIDIA GPU.",
            f"The device is {device}, where it would save little and take many times longer.",
            "Train without four bits (--quantize-base none), with a smaller base, or on a machine with a GPU.",
        )
    require_bitsandbytes()


def require_bitsandbytes() -> None:
    """Raise `ModelError` if bitsandbytes is not installed."""
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "bitsandbytes is not installed.",
            "A base in four bits needs it.",
            "Install it: pip install 'distill-tui[qlora]', or uv sync --extra qlora.",
        )
