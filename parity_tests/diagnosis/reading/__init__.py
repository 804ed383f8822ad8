"""Read code that somebody else wrote: where it keeps its numbers, how it is called, and what it returned."""
