"""Name a mistake: from a wrong result to a sentence, and from somebody's layer to one that can be compared."""
