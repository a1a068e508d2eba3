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
    """Return transformers' class for text models, or, for models that it only knows with images, the one for these.

    Ministral 3 is such a model: its decoder is trained and asked like any other. Raises whatever transformers raises
    for a malformed configuration.
    """
    config = type(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
    with_images = config not in MODEL_FOR_CAUSAL_LM_MAPPING and config in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    found: type[_BaseAutoModelClass] = AutoModelForImageTextToText if with_images else AutoModelForCausalLM
    return found
