"""The distillation engine: everything from prompt to release, without any user interface."""

__version__ = "0.1.0"
