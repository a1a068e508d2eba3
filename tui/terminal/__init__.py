"""What the terminal itself can do: its abilities, clipboard, bell and title, and handing it to an editor."""
