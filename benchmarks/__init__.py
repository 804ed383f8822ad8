"""What both engines are run on, in quality and in speed, and the ``backprop`` command that runs it."""
