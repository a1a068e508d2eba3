"""A letter on everything that can be focused: press it to go there."""
