"""The screens: one package each, with its state free of Textual."""
