"""The vocabulary: frozen dataclasses, one meaning a word, standard library only."""
