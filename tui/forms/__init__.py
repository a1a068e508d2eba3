"""The short form over whatever is on the screen, and what several forms ask alike."""
