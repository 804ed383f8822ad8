"""The subcommands of ``backprop``, one per file."""
