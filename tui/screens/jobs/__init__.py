"""The jobs screen: running, waiting and ended jobs with their reasons and logs."""
