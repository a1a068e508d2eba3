"""The help screen: every key, from the action table."""
