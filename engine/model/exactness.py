"""Whether a model gives the same logits behind a shared prompt as in one pass of its own. Knows nothing of adapters."""

import torch
from torch import Tensor

from engine.errors import ModelError
from engine.model.local_model import LocalModel
from engine.model.memory import within_memory
from engine.model.own_cache import OwnCache
from engine.model.prompt_cache import PromptCache, is_recurrent

_PART = 6  # tokens of each part: prompt, question and answer
_RECURRENT_PART = 70  # of the question where layers are recurrent: more than they compute at once
_KINDS = {  # of layers; others need more than keys, values and states
    "full_attention", "sliding_attention", "attention", "linear_attention", "mamba", "conv", "hybrid", "hybrid_sliding",
    "moe", "mlp",
}  # fmt: skip


def check_exactness(local: LocalModel) -> None:
    """Compare a few logits behind a shared prompt, of a question and of an answer, with the model's own forward pass.

    Raises `ModelError` for architectures that are not reproduced (attention or logits of another kind), and for a
    device that does not work at all.
    """
    config = local.base.config.get_text_config()
    if any(name.endswith(".indexer") for name, _module in local.backbone.named_modules()):
        raise _unsupported(local, "its attention chooses some of the tokens")  # all of so few as are compared here
    if others := sorted(set(getattr(config, "layer_types", None) or ()) - _KINDS):
        raise _unsupported(local, f"it has layers of the kind {', '.join(others)}")
    vocabulary = local.base.get_input_embeddings().num_embeddings
    asked = _question_tokens(local)
    ids = [number * 7 % vocabulary for number in range(1, 2 * _PART + asked + 1)]
    with torch.inference_mode():
        try:
            with within_memory("Choose a smaller model.", "The first passes"):
                given = torch.tensor([ids], device=local.device)
                expected = local.base(input_ids=given, use_cache=False).logits[0, _PART:].float()
                found = local.logits(_hidden_behind_prompt(local, ids, asked))
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError) as error:
            if "CUDA error" in str(error):
                raise ModelError(
                    "The GPU does not work.",
                    f"{local.device}: {str(error).splitlines()[0]}.",
                    "Check it with `distill-tui doctor`, or choose the device cpu.",
                ) from error
            if local.device.type == "cpu" and "cuda" in str(error).lower():
                raise ModelError(
                    "This model cannot run on the CPU here.",
                    f"{local.folder}: {str(error).splitlines()[0]}.",
                    "Choose the GPU. Where causal-conv1d, flash-linear-attention or mamba-ssm are installed, "
                    "transformers uses their kernels on every device.",
                ) from error
            raise _unsupported(local, str(error)) from error
    spread = (expected - expected.mean()).norm().clamp_min(1e-6)
    limit = 1e-3 if local.dtype == torch.float32 else 0.1
    for part, name in ((slice(0, asked), "a question"), (slice(asked, None), "an answer")):
        distance = float((found[part] - expected[part]).norm() / spread)
        if not distance < limit:
            raise _unsupported(local, f"the logits of {name} differ by {distance:.3g} of their spread")


def _question_tokens(local: LocalModel) -> int:
    config = local.base.config.get_text_config()
    at_once = getattr(config, "mamba_chunk_size", None) or getattr(config, "chunk_size", None) or 0
    return max(_RECURRENT_PART, at_once + _PART) if is_recurrent(local) else _PART


def _hidden_behind_prompt(local: LocalModel, ids: list[int], asked: int) -> Tensor:
    """Return the hidden states (asked + _PART, H) of a question and an answer, read as when an answer is decoded."""
    prefix = PromptCache.build(local, ids[:_PART])
    cache = OwnCache(local, prefix, rows=2, slots=asked + _PART)
    question, answer = ids[_PART : _PART + asked], ids[_PART + asked :]
    states = list(cache.read([question], [0, 0], 0)[0])
    states += [cache.step([token, token], [asked + place] * 2)[1] for place, token in enumerate(answer)]
    return torch.stack(states)


def _unsupported(local: LocalModel, reason: str) -> ModelError:
    return ModelError(
        "The model's architecture is not supported.",
        f"{local.folder}: behind a shared prompt its answers would not be its own ({reason}).",
        "Choose a decoder such as Llama 3, Qwen3, Qwen3.5, Mistral, Gemma or Phi.",
    )
