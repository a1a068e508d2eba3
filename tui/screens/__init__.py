"""The screens, one package each, with state free of Textual."""
