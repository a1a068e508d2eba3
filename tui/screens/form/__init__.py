"""A short form over whatever is on the screen."""
