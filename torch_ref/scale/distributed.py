"""Several processes train one network: each computes its share of every batch, and all take the same step.

    S     processes, one a device; s is the number of one of them
    N     rows of a batch; n_s of them are the share of s, and the shares differ by one row at most
    l_i   the loss of row i; L = (1/N) sum_i l_i is what one process alone would compute

    F1  z_s    = model(x_s)                      (n_s, K)   each on its own rows
    F2  z      = [z_1; ...; z_S]                 (N, K)     gathered: now every process has all logits
    F3  L      = criterion(z, y)                 ()         the same number in every process
    B1  g      = dL/dz                           (N, K)     the same in every process: nothing is sent
    B2  h_s    = S g_s                           (n_s, K)   its own rows; S because of the next line
    B3  dL/dw  = (1/S) sum_s h_s dz_s/dw                    DistributedDataParallel's mean over the processes

The S in B2 and the 1/S in B3 cancel, and what is left is the sum over all rows. That is the gradient of one process,
also if the shares are unequal; the mean of the shares' own means would not be. Since F3 has the whole batch, the
training loop and the loss are those of one process, unchanged.

What differs from one process: rounding, because sums are taken in another order; dropout's masks, because each process
draws its own; and batch norm, which takes mean and variance over a process's own share. On CUDA it is replaced by
SyncBatchNorm, which takes them over the batch (PyTorch does not have it for the CPU).
"""

import datetime
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from torch_ref import nn, random, train
from torch_ref.scale import workers

BACKENDS = {"cuda": "cpu:gloo,cuda:nccl", "cpu": "gloo"}  # what must not wait for a device goes over the CPU

# Groups, kept until the process is gone. Freeing one holds the GIL and waits for threads of gloo's, and in PyTorch 2.6
# one of those may be waiting for the GIL, to free the last tensor that was sent.
ENDED: list[Any] = []


class Gather(torch.autograd.Function):
    """F2, and B2 on the way back."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor, rows: int) -> torch.Tensor:
        """Return the parts of all processes, (rows, K), one after the other."""
        ctx.rows = rows
        sizes = [len(share) for share in shares(rows)]
        # Parts that are sent must have one size, so the shorter ones get an extra row, which is cut off again.
        padded = part.new_zeros(max(sizes), *part.shape[1:])
        padded[: len(part)] = part
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([sent[:size] for sent, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Return the gradient of this process's part."""
        own = shares(ctx.rows)[dist.get_rank()]
        return dist.get_world_size() * grad_output[own.start : own.stop], None


def shares(rows: int) -> list[range]:
    """Return which rows of a batch each process takes; if they do not divide evenly, the first ones take one more."""
    size, more = divmod(rows, dist.get_world_size())
    ends = [size * (rank + 1) + min(rank + 1, more) for rank in range(dist.get_world_size())]
    return [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def mean_in_order(state: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:  # type: ignore[name-defined]
    """Return B3's mean of some gradients, added up in the order of the processes.

    The order of the backend's own sum depends on where in the bucket a number is, and a resumed run fills its first
    bucket in another order: with three or more processes the last bit would differ.
    """
    parts = [torch.empty_like(bucket.buffer()) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, bucket.buffer())
    mean: torch.futures.Future[torch.Tensor] = torch.futures.Future()
    mean.set_result(sum(parts[1:], start=parts[0]) / len(parts))
    return mean


class Shared(nn.Module):
    """A model that takes a whole batch and computes this process's share of it; its output is that of the whole batch.

    Parameters
    ----------
    model : Module
        The same in every process. In training its gradients become those of the whole batch.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        device = next(model.parameters()).device
        if device.type == "cuda":
            model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
        self.module = model
        device_ids = [device.index] if device.type == "cuda" else None
        self.parallel = DistributedDataParallel(model, device_ids=device_ids)
        if device.type == "cpu":
            self.parallel.register_comm_hook(None, mean_in_order)

    def train(self, mode: bool = True) -> "Shared":
        """Set the mode; before an evaluation, every process takes over the running statistics of process 0."""
        if not mode:
            for buffer in self.module.buffers():
                dist.broadcast(buffer, src=0)
        return super().train(mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs for all rows of ``x``, (N, K)."""
        own = shares(len(x))[dist.get_rank()]
        model = self.parallel if self.training else self.module
        return Gather.apply(model(x[own.start : own.stop]), len(x))


def fit(
    model: nn.Module,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    train_set: train.Batch,
    test_set: train.Batch,
    *,
    epochs: int,
    batch_size: int,
    progress: train.Progress | None = None,
    on_step: Callable[[train.Progress], None] | None = None,
    on_epoch: Callable[[train.Progress], None] | None = None,
) -> train.History:
    """Train as `train.fit` does, together with the other processes.

    Parameters
    ----------
    model
        The same in every process, as it is if all set one seed before building it.
    criterion, optimizer, train_set, test_set, epochs, batch_size, progress, on_step, on_epoch
        As in `train.fit`; every process holds the whole data set, and is where the others are.

    Returns
    -------
    History
        The same in every process, but for the seconds.

    Raises
    ------
    ValueError
        If a batch of an epoch has fewer rows than there are processes.
    """
    rows, processes = len(train_set[0]), dist.get_world_size()
    smallest = min(batch_size, rows % batch_size or batch_size)
    if smallest < processes:
        raise ValueError(f"fit: expected a row for each of {processes} processes, got a batch of {smallest}")

    def share_order(progress: train.Progress) -> None:
        order = random.randperm(rows).to(train_set[0].device)
        dist.broadcast(order, src=0)  # dropout has left the processes' generators in different states
        progress.order = order

    def after_epoch(progress: train.Progress) -> None:
        if on_epoch is not None:
            on_epoch(progress)
        if progress.epoch < epochs:
            share_order(progress)

    progress = progress or train.Progress()
    if dist.get_rank() and not progress.history.step_loss:
        random.manual_seed((random.initial_seed() + dist.get_rank()) % 2**64)  # different masks from process 0's
    if progress.order is None:
        share_order(progress)
    return train.fit(
        Shared(model),
        criterion,
        optimizer,
        train_set,
        test_set,
        epochs=epochs,
        batch_size=batch_size,
        progress=progress,
        on_step=on_step,
        on_epoch=after_epoch,
    )


def largest(number: int) -> int:
    """Return the largest of the numbers that the processes call this with; none waits for its device."""
    shared = torch.tensor(number)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return int(shared)


def gather(content: bytes) -> list[bytes]:
    """Return the bytes that the processes call this with, in their order; they are sent as they are."""
    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([len(content)]))
    # What is sent must have one size.
    longest = max(int(size) for size in sizes)
    padded = torch.frombuffer(bytearray(content.ljust(longest, b"\0")), dtype=torch.uint8)
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return [bytes(part.tolist())[: int(size)] for part, size in zip(parts, sizes, strict=True)]


def threads_of(processes: int) -> int:
    """Return how many of PyTorch's threads each of several processes gets on the CPU, where they share the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(torch.get_num_threads(), cores // processes))


def stay_on_this_machine() -> None:
    """Let the libraries with which this process talks to others listen on the loopback interface only.

    By default they take the address of the host's name, which the whole network can reach. On Windows no interface has
    one of these names, and nothing changes.
    """
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    for name in ("lo", "lo0"):
        if name in names:
            os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = name
            return


def check(device: str, processes: int) -> None:
    """Raise unless so many processes can compute on this kind of device here.

    Raises
    ------
    ValueError
        If the device is neither "cpu" nor "cuda".
    RuntimeError
        If there are fewer cards than processes.
    """
    if device not in BACKENDS:
        raise ValueError(f"{processes} processes run on cpu, or on cuda with a card for each, not on {device}")
    if device == "cuda" and torch.cuda.device_count() < processes:
        raise RuntimeError(
            f"{processes} processes need as many CUDA devices; PyTorch finds {torch.cuda.device_count()}"
        )


def launch(
    work: Callable,
    processes: int,
    *args: object,
    device: str = "cpu",
    on_message: Callable | None = None,
    timeout: float = 300.0,
) -> object:
    """Call ``work(device, send, *args)`` in several processes that form a group; return what process 0 returned.

    Parameters
    ----------
    work : callable
        A module-level function, so that a new process can find it. ``send(message)`` in process 0 hands a message to
        ``on_message`` here, and returns what that returns; in the others it returns None.
    processes : int
    *args
        What can be pickled.
    device : str
        "cpu", or "cuda" for one card each.
    on_message : callable, optional
    timeout : float
        Seconds to wait for a process that hangs; one that dies is noticed at once.

    Raises
    ------
    ValueError, RuntimeError
        As `check` does, and RuntimeError if a process fails or dies; the others are ended.
    """
    check(device, processes)
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder, "store"))
        return workers.run(
            _join_group, processes, (work, device, store, timeout, args), on_message or (lambda message: None), folder
        )


def _join_group(
    rank: int, processes: int, send: Callable, work: Callable, device: str, store: str, timeout: float, args: tuple
) -> object:
    own = torch.device(device, rank) if device == "cuda" else torch.device("cpu")
    if device == "cuda":
        torch.cuda.set_device(own)
    else:
        torch.set_num_threads(threads_of(processes))
    stay_on_this_machine()
    dist.init_process_group(
        BACKENDS[device],
        init_method=Path(store).as_uri(),
        rank=rank,
        world_size=processes,
        timeout=datetime.timedelta(seconds=timeout),
    )
    ENDED.append(dist.group.WORLD)
    result = work(str(own), send, *args)
    dist.destroy_process_group()  # not after an error, which must be reported before the others lose this process
    return result
