"""Which of transformers' classes loads a model from its folder. Reads the configuration only."""

from pathlib import Path

from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
)
from transformers.models.auto.auto_factory import _BaseAutoModelClass


def auto_class(folder: Path) -> type[_BaseAutoModelClass]:
    """Return transformers' class for text models, or the one for models that also take images, if its weights do.

    Such a model (Ministral 3, Qwen3.5) keeps all its weights, and names that other programs know. Its decoder is
    trained and asked like any other. Raises whatever transformers raises for a malformed configuration.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    kind = type(config)
    with_images = kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and (
        kind not in MODEL_FOR_CAUSAL_LM_MAPPING
        or MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[kind].__name__ in (config.architectures or ())
    )
    found: type[_BaseAutoModelClass] = AutoModelForImageTextToText if with_images else AutoModelForCausalLM
    return found
