"""The exercises, a topic a file, each with its list ``EXERCISES`` in the order in which they build."""
