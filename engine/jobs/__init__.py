"""The process boundary: long work runs in its own session and communicates through files. Knows nothing of models."""
