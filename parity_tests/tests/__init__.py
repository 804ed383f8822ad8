"""The tests, by topic."""
