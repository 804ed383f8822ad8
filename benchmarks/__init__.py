"""What both engines are compared on, in quality and in speed, and the ``backprop`` command that runs it."""
