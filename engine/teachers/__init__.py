"""Teachers: models that see the prompt. An OpenAI-compatible endpoint, or the local base model."""
