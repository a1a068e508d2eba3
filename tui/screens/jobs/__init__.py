"""The jobs screen: what is at work, what waits and why, what ended how, and what each printed."""
