"""The local model: found, loaded, spoken to in one chat format, decoded and scored. Imports nothing by itself."""
