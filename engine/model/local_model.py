"""A loaded model, for decoding, scoring, training and serving. Knows nothing of how it was loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from engine.model.chat_format import ChatFormat
from engine.model.quantize import is_quantized


@dataclass(frozen=True, slots=True, eq=False)
class LocalModel:
    """A loaded model with its chat format. `model` is the bare model, or peft's wrapper if it has an adapter."""

    model: PreTrainedModel | PeftModel
    format: ChatFormat
    device: torch.device
    dtype: torch.dtype
    folder: Path

    @property
    def quantized(self) -> bool:
        """Whether the base's linear layers are held in four bits."""
        return is_quantized(self.base)

    @property
    def base(self) -> PreTrainedModel:
        """The transformers model, including any injected adapter layers."""
        return cast("PreTrainedModel", self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model)

    @property
    def backbone(self) -> torch.nn.Module:
        """The decoder below the output head: ids in, hidden states out."""
        return cast("torch.nn.Module", self.base.get_decoder())

    def logits(self, hidden: Tensor) -> Tensor:
        """Final hidden states (..., H) → logits (..., V) in float32, scaled and capped as the architecture requires."""
        head = cast("torch.nn.Module", self.base.get_output_embeddings())
        logits = cast("Tensor", head(hidden)).float()
        config = self.base.config.get_text_config()
        if (scale := getattr(config, "logit_scale", None)) is not None:
            logits = logits * float(scale)
        if (divisor := getattr(config, "logits_scaling", None)) is not None:
            logits = logits / float(divisor)
        if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
            logits = torch.tanh(logits / float(cap)) * float(cap)
        return logits
