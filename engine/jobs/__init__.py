"""The process boundary: long work in its own session, spoken with through files. Knows nothing of models."""
