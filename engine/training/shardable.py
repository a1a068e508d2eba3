"""Which runs can share their base's layers between their processes. Pure; no model library."""

from engine.errors import UsageError
from engine.records.run import TrainingConfig


def require_shardable(config: TrainingConfig, processes: int) -> None:
    """Raise `UsageError` where a run of so many processes cannot be one whose base is sharded."""
    if processes < 2:
        why, other = "one process would hold the whole base", "with --processes 2 or more"
    elif config.quantize_base != "none":
        why, other = "layers in four bits are not put together from parts", "with a base that is not quantised"
    elif config.adapter == "full":
        why, other = "the copies of whole layers would be whole on every process", "with --adapter lora"
    elif config.adapter == "dora":
        why, other = "DoRA's magnitudes begin with the norms of whole layers", "with --adapter lora or rslora"
    else:
        return
    raise UsageError(
        "This run's base cannot be sharded.", f"{why[0].upper()}{why[1:]}.", f"Train {other}, or without --shard."
    )
