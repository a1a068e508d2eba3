"""Which runs can shard their base over their processes. Pure; no model library."""

from engine.errors import UsageError
from engine.records.run import TrainingConfig


def require_shardable(config: TrainingConfig, processes: int) -> None:
    """Raise `UsageError` if the base of a run with this many processes cannot be sharded."""
    if processes < 2:
        why, other = "one process would hold the whole base", "with --processes 2 or more"
    elif config.quantize_base != "none":
        why, other = "layers in four bits cannot be sharded", "without --quantize-base"
    elif config.adapter == "full":
        why, other = "every process would hold full copies of all layers", "with --adapter lora"
    elif config.adapter == "dora":
        why, other = "DoRA computes its initial magnitudes from whole layers", "with --adapter lora or rslora"
    else:
        return
    raise UsageError(
        "The base of this run cannot be sharded.", f"{why[0].upper()}{why[1:]}.", f"Train {other}, or without --shard."
    )
