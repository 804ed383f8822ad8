"""The training loop for an accelerator: nothing leaves the device, and a step can be one recorded piece of work.

``torch_ref/train.py`` is the loop to read. This one trains the same networks, and differs in what keeps a fast device
waiting:

- The images lie on the device as bytes, and become floating point there, a batch at a time: a quarter of the memory to
  read. Their order is drawn by the CPU's generator, so that it is the same on every device.
- Images and weights are channels-last, which is how the fast convolutions want them.
- ``precision="tf32"`` rounds the factors of a product to 10 bits of mantissa, ``"bf16"`` computes products in bfloat16
  (the weights, and the optimizer, stay in float32). ``"fp32"`` means it: PyTorch by itself would let cuDNN round.
- ``compiled`` hands the model to ``torch.compile``.
- On CUDA the step is recorded once as a graph, from the picking of the rows to Adam, and then replayed: a small network
  computes for less time than it takes Python to ask for its operations one by one. What a graph reads lies where it lay
  when it was recorded: the row numbers and the learning rate are copied there before each replay.

A recorded step has one shape, so the batch size has to divide the number of rows.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch

from torch_ref import devices, nn, random

PRECISIONS = ("fp32", "tf32", "bf16")
WARM_UP = 3  # steps before a graph is recorded, in which libraries choose their algorithms and take their memory


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
        raise ValueError(f"{devices.describe(device)} has no tf32; it takes an NVIDIA card from Ampere (2020) on")
    if precision == "bf16" and kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ValueError(f"{devices.describe(device)} has no bf16; use fp32")
    if compiled and kind == "mps":
        raise ValueError("compiling is for the CPU and CUDA; leave it out on mps")


class Trainer:
    """A network, its data and its optimizer on one device, ready to train after the constructor's return.

    The constructor does all that is done once: it moves the data, compiles, takes a few steps to warm up, which are
    then undone, and records the step.

    Parameters
    ----------
    model : Module
        On the device.
    criterion : Module
        Its loss.
    images : torch.Tensor of uint8
        Shape (rows, C, H, W), anywhere; 0 to 255 becomes 0 to 1.
    targets : torch.Tensor of int64
        Shape (rows,).
    batch_size : int
    betas : pair of float
        Adam's.
    precision : str
        "fp32", "tf32" or "bf16".
    compiled : bool
        Whether the model is compiled.

    Raises
    ------
    ValueError
        As `check` does, and if the batch size does not divide the number of rows.
    """

    def __init__(
        self,
        model: nn.Module,
        criterion: nn.Module,
        images: torch.Tensor,
        targets: torch.Tensor,
        *,
        batch_size: int,
        betas: tuple[float, float] = (0.9, 0.999),
        precision: str = "fp32",
        compiled: bool = False,
    ) -> None:
        if batch_size < 1 or len(images) % batch_size:
            raise ValueError(f"expected a batch size that divides the {len(images)} rows, got {batch_size}")
        weight = next(model.parameters())
        self.device, self.dtype = weight.device, weight.dtype
        check(str(self.device), precision, compiled)
        self.model, self.criterion, self.precision = model.to(memory_format=torch.channels_last), criterion, precision
        self.images, self.targets = images.to(self.device), targets.to(self.device)
        self.forward = torch.compile(model) if compiled else model
        self.rows = torch.zeros(batch_size, dtype=torch.int64, device=self.device)
        self.loss = torch.zeros((), dtype=self.dtype, device=self.device)
        on_cuda = self.device.type == "cuda"
        # A number would be burnt into the recording; a tensor is read at every replay.
        self.lr = torch.zeros((), device=self.device) if on_cuda else None
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=self.lr if on_cuda else 0.0, betas=betas, capturable=on_cuda
        )
        with self._undone():
            self._warm_up()
        self.graph = self._record() if on_cuda else None
        devices.synchronize(str(self.device))

    def train(self, learning_rates: Sequence[float]) -> torch.Tensor:
        """Take a step with each of the learning rates; return the losses, on the device, which may still be at work."""
        batch_size, per_epoch = len(self.rows), len(self.images) // len(self.rows)
        losses = torch.empty(len(learning_rates), dtype=self.dtype, device=self.device)
        rates = torch.tensor(learning_rates, device=self.device)
        self.model.train()
        with _products(self.precision):
            for step, rate in enumerate(learning_rates):
                if step % per_epoch == 0:
                    order = random.randperm(len(self.images)).to(self.device)
                start = step % per_epoch * batch_size
                self.rows.copy_(order[start : start + batch_size])
                if self.graph is None:
                    self.optimizer.param_groups[0]["lr"] = rate
                    self._step()
                else:
                    self.lr.copy_(rates[step])
                    self.graph.replay()
                losses[step] = self.loss
        return losses

    @torch.no_grad()
    def accuracy(self, images: torch.Tensor, targets: torch.Tensor, batch_size: int = 2000) -> float:
        """Return the share of images that are classified correctly, in evaluation mode."""
        self.model.eval()
        correct = 0
        with _products(self.precision):
            for start in range(0, len(images), batch_size):
                part = slice(start, start + batch_size)
                logits = self._logits(self.model, images[part].to(self.device))
                correct += (logits.argmax(dim=1) == targets[part].to(self.device)).sum()
        return int(correct) / len(images)

    def _logits(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        x = images.to(self.dtype, memory_format=torch.channels_last) / 255
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return model(x)

    def _step(self) -> None:
        logits = self._logits(self.forward, self.images[self.rows])
        loss = self.criterion(logits.to(self.dtype), self.targets[self.rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.loss.copy_(loss.detach())

    def _warm_up(self) -> None:
        self.model.train()
        with _products(self.precision):
            if self.device.type != "cuda":
                self._step()
                return
            aside = torch.cuda.Stream(self.device)  # as torch.cuda.graph asks for
            aside.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP):
                    self._step()
            torch.cuda.current_stream(self.device).wait_stream(aside)

    def _record(self) -> "torch.cuda.CUDAGraph":
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)  # so that the gradients get memory of the graph's own
        with _products(self.precision), torch.cuda.graph(graph):  # records, computes nothing
            self._step()
        return graph

    @contextlib.contextmanager
    def _undone(self) -> Iterator[None]:
        """Bring weights, buffers, the optimizer and the CPU's generator back to where they were, in their places."""
        before = {name: value.clone() for name, value in self.model.state_dict().items()}
        generator = random.get_state()
        yield
        self.model.load_state_dict(before)
        for entry in self.optimizer.state.values():
            for value in entry.values():
                value.zero_()
        random.set_state(generator)


@contextlib.contextmanager
def _products(precision: str) -> Iterator[None]:
    """Let CUDA's matrix products and convolutions round to tf32, or not, and restore what was."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest" if precision == "fp32" else "high")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=precision != "fp32"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
