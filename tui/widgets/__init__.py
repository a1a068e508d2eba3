"""Widgets that more than one screen uses, and the pure drawing under them."""
