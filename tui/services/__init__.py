"""The only I/O of the app: each service works off the drawing thread and posts messages, nothing else."""
