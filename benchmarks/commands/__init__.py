"""The subcommands of ``backprop``, one a file."""
