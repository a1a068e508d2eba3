"""The only I/O of the app: each service works off the drawing thread, and its results reach the loop of who asked."""
