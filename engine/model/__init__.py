"""The local model: how it is found, loaded, prompted in one chat format, decoded and scored. Imports nothing itself."""
