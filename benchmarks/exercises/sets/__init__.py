"""The exercises, one file per topic, each with a list ``EXERCISES`` in which one builds on another."""
