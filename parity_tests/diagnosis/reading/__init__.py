"""How code that somebody else wrote is read: where its numbers lie, how it is called, and what it returned."""
