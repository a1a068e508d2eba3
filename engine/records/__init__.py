"""The vocabulary of the program: frozen dataclasses, one meaning per word. Imports only the standard library."""
