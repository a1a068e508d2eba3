"""What the terminal itself can do: its abilities, clipboard, bell and title, and the loan of it to an editor."""
