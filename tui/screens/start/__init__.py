"""The start screen: the projects of this home, and the demo."""
