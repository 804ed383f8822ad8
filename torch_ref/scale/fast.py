"""The training loop for an accelerator: nothing leaves the device, and a step can be one recorded graph.

``torch_ref/train.py`` is the loop to read, and it is used here too. What differs is what would keep a fast device
waiting:

- Images are on the device as bytes, and become floating point there, a batch at a time: a quarter of the memory to
  read. Their order is drawn by the CPU's generator, so that it is the same on every device.
- Images and weights are channels-last, which is how the fast convolutions want them.
- ``precision="tf32"`` rounds the factors of a product to 10 bits of mantissa, ``"bf16"`` computes products in bfloat16
  (the weights, and the optimizer, stay in float32). ``"fp32"`` means exactly that: by default PyTorch would let cuDNN
  round.
- ``compiled`` hands the network to ``torch.compile``.
- On CUDA the step is recorded once as a graph, from bytes to Adam, and then replayed: a small network takes less time
  to compute than Python takes to launch its operations one by one. A graph reads from the addresses with which it was
  recorded: the batch and the learning rate are copied there before each replay.

A recorded step has one shape, and so has a compiled one: the last batch of an epoch, if it is shorter, takes a plain
step.
"""

import contextlib
from collections.abc import Callable, Iterator

import torch

from torch_ref import nn, random, train
from torch_ref.scale import devices

PRECISIONS = ("fp32", "tf32", "bf16")
WARM_UP = 3  # steps before a graph is recorded, in which libraries choose algorithms and allocate memory


def check(device: str, precision: str, compiled: bool) -> None:
    """Raise unless a device can do what is asked of it.

    Raises
    ------
    ValueError
        If it does not have the precision, or PyTorch does not compile for it.
    """
    kind = torch.device(device).type
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; choose from {', '.join(PRECISIONS)}")
    if precision == "tf32" and (kind != "cuda" or torch.cuda.get_device_capability(device) < (8, 0)):
        raise ValueError(f"{devices.describe(device)} has no tf32; it needs an NVIDIA card, Ampere (2020) or newer")
    if precision == "bf16" and kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ValueError(f"{devices.describe(device)} has no bf16; use fp32")
    if precision == "bf16" and kind == "mps" and not torch.backends.mps.is_macos_or_newer(14, 0):
        raise ValueError("an Apple GPU has bf16 only from macOS 14; use fp32")
    if compiled and kind == "mps":
        raise ValueError("compiling works on the CPU and CUDA only; leave it out on mps")


def fit(
    model: nn.Module,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_set: train.Batch,
    test_set: train.Batch,
    *,
    epochs: int,
    batch_size: int,
    precision: str = "fp32",
    compiled: bool = False,
    progress: train.Progress | None = None,
    on_step: Callable[[train.Progress], None] | None = None,
    on_epoch: Callable[[train.Progress], None] | None = None,
) -> train.History:
    """Train as `train.fit` does, after setting up: pack the data, compile, take steps to warm up, and record.

    The steps to warm up are undone. No epoch's seconds include the set-up.

    Parameters
    ----------
    model, criterion, optimizer, train_set, test_set, epochs, batch_size, progress, on_step, on_epoch
        As in `train.fit`. A change of the optimizer's learning rate counts from the next step on.
    precision : str
        "fp32", "tf32" or "bf16".
    compiled : bool
        Whether the network is compiled.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        As `check` and `train.fit` do.
    """
    (x, y), device = train_set, str(train_set[0].device)
    check(device, precision, compiled)
    network = Prepared(model.to(memory_format=torch.channels_last), precision)
    x = pack(x)
    with _products(precision):
        step = Step(network, criterion, optimizer, x[:batch_size], y[:batch_size], compiled)
        devices.synchronize(device)
        return train.fit(
            network,
            criterion,
            optimizer,
            (x, y),
            (pack(test_set[0]), test_set[1]),
            epochs=epochs,
            batch_size=batch_size,
            step=step,
            progress=progress,
            on_step=on_step,
            on_epoch=on_epoch,
        )


def pack(x: torch.Tensor) -> torch.Tensor:
    """Return images whose pixels are multiples of 1/255 as bytes, and any other input as it is."""
    pixels = x * 255
    are_bytes = x.ndim == 4 and pixels.min() >= 0 and pixels.max() <= 255
    if are_bytes and (pixels - pixels.round()).abs().max() < 1e-3:
        return pixels.round().to(torch.uint8)
    return x


class Prepared(nn.Module):
    """A network that first prepares its input on the device: from bytes to floating point, to channels-last.

    Parameters
    ----------
    model : Module
    precision : str
        "bf16" lets it compute its products in bfloat16; the outputs have the parameters' dtype all the same.
    """

    def __init__(self, model: nn.Module, precision: str) -> None:
        super().__init__()
        self.model, self.precision, self.dtype = model, precision, next(model.parameters()).dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the model's outputs."""
        if x.dtype == torch.uint8:
            x = (x.float() / 255).to(self.dtype)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.model(x).to(self.dtype)


class Step:
    """The steps of `fit`: on whole batches compiled and recorded ones, on a shorter batch a plain one.

    Parameters
    ----------
    network, criterion, optimizer
        The network is compiled and warmed up, and is afterwards as it was before.
    x, y : torch.Tensor
        A whole batch.
    compiled : bool
    """

    def __init__(
        self,
        network: Prepared,
        criterion: nn.Module,
        optimizer: torch.optim.Optimizer,
        x: torch.Tensor,
        y: torch.Tensor,
        compiled: bool,
    ) -> None:
        self.forward = torch.compile(network) if compiled else network
        self.x, self.y = x.clone(), y.clone()
        self.graph: torch.cuda.CUDAGraph | None = None
        network.train()
        if x.is_cuda:
            with torch.cuda.device(x.device):
                self._record(network, criterion, optimizer)
        elif compiled:
            with _undone(network, optimizer, x.device):
                train.take_step(self.forward, criterion, optimizer, x, y)

    def __call__(
        self,
        network: Prepared,
        criterion: nn.Module,
        optimizer: torch.optim.Optimizer,
        x: torch.Tensor,
        y: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Do what `train.take_step` does."""
        if len(y) < len(self.y):
            return train.take_step(network, criterion, optimizer, x, y)
        if self.graph is None:
            return train.take_step(self.forward, criterion, optimizer, x, y)
        for rate, group in zip(self.rates, optimizer.param_groups, strict=True):
            rate.fill_(group["lr"])
        self.x.copy_(x)
        self.y.copy_(y)
        self.graph.replay()
        return self.loss.clone(), self.correct.clone()

    def _record(self, network: Prepared, criterion: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        batch = (self.forward, criterion, optimizer, self.x, self.y)
        groups, numbers = optimizer.param_groups, [group["lr"] for group in optimizer.param_groups]
        # A number would be burnt into the recording; a tensor is read at every replay.
        self.rates = [torch.tensor(number, device=self.x.device) for number in numbers]
        for group, rate in zip(groups, self.rates, strict=True):
            group.update(lr=rate, capturable=True)
        aside = torch.cuda.Stream()  # as torch.cuda.graph requires
        with _undone(network, optimizer, self.x.device):
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP):
                    train.take_step(*batch)
            torch.cuda.current_stream().wait_stream(aside)
        optimizer.zero_grad()  # so that the gradients are allocated in the graph's own memory
        self.graph = graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=aside):  # records, computes nothing
            self.loss, self.correct = train.take_step(*batch)
        for group, number in zip(groups, numbers, strict=True):
            group["lr"] = number


@contextlib.contextmanager
def _undone(network: Prepared, optimizer: torch.optim.Optimizer, device: torch.device) -> Iterator[None]:
    """Restore weights, buffers, the optimizer and the generators in place after the ``with`` block."""
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    entries = {
        parameter: {key: value.clone() for key, value in entry.items()} for parameter, entry in optimizer.state.items()
    }
    generator, device_generator = random.get_state(), random.get_device_state(device)
    yield
    network.load_state_dict(weights)
    for parameter, entry in optimizer.state.items():
        for key, value in entry.items():
            value.copy_(entries[parameter][key]) if parameter in entries else value.zero_()
    random.set_state(generator)
    if device_generator is not None:
        random.set_device_state(device, device_generator)


@contextlib.contextmanager
def _products(precision: str) -> Iterator[None]:
    """Let CUDA's matrix products and convolutions round to tf32, or not, and restore the settings afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=precision != "fp32"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
