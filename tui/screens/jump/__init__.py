"""A letter on everything that can have the focus: press it to go there."""
