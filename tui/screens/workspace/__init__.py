"""The workspace: a project's seven stations, live."""
