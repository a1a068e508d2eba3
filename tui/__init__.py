"""The terminal app over the engine; it knows nothing of torch or SQL."""
