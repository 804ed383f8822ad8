"""The ``ctx`` that some write forward and backward with, as PyTorch's ``torch.autograd.Function`` has it."""


class Context(dict):
    """The ``ctx`` in which ``forward(ctx, x)`` keeps things for ``backward(ctx, grad)``; some have a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.saved_tensors: tuple = ()
        self.needs_input_grad = (True,) * 16

    def save_for_backward(self, *values: object) -> None:
        """Keep what backward will ask for."""
        self.saved_tensors = self.saved_values = self.saved_arrays = self.saved = self.to_save = values
