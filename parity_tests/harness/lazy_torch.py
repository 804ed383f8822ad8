"""PyTorch, imported when something of it is first used.

The import takes longer than a check against finite differences, which needs nothing of PyTorch.
"""


class _Torch:
    def __getattr__(self, name: str) -> object:
        import torch

        return getattr(torch, name)


torch = _Torch()
