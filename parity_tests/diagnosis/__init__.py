"""What names a mistake: from a wrong result to a sentence, and from a stranger's layer to one that can be compared."""
