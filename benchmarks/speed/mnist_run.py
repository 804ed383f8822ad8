"""One training run on MNIST in a process of its own: ``python -m benchmarks.speed.mnist_run NAME ...`` prints JSON.

It has its own process because peak memory is that of a process, and because what it imports is part of its cost.

    scratch   this project's NumPy engine
    torch     the same loop in PyTorch (`torch_ref.train`), the data set in memory as float32
    plain     the loop that PyTorch's tutorials teach: torchvision's MNIST, ToTensor, a DataLoader
"""

import argparse
import json
import math
import os
import sys
import threading
import time
from pathlib import Path

NAMES = ("scratch", "torch", "plain")


def peak_bytes() -> float:
    """Return this process's peak memory so far; NaN on Windows, where Python cannot tell."""
    if sys.platform == "win32":
        return math.nan
    if sys.platform == "linux":
        # getrusage starts from the peak of the process that started this one.
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024
    import resource  # Unix alone has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def train_engine(name: str, data_dir: Path, epochs: int, threads: int) -> float:
    """Run the task's recipe in one of the engines, and return the test accuracy."""
    from benchmarks import tasks
    from benchmarks.runs.training import Settings, get_engines, train

    task = tasks.get("mnist")
    settings = Settings.of_recipe(task, name, epochs=epochs)
    (engine,) = get_engines(settings)
    if name == "torch":
        import torch

        torch.set_num_threads(threads)
    else:
        from scratch.kernels import threads as scratch_threads

        scratch_threads.set_num_threads(threads)
    return train(settings, engine, task.load(data_dir)).history["test_accuracy"][-1]


def train_plain(data_dir: Path, epochs: int, threads: int) -> float:
    """Run the loop of PyTorch's tutorials on the same network, and return the test accuracy."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    import torch_ref

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    to_tensor = transforms.ToTensor()
    train_set, test_set = (
        datasets.MNIST(data_dir, train=train, download=False, transform=to_tensor) for train in (True, False)
    )
    train_loader = DataLoader(train_set, batch_size=128, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=1000)
    model, criterion = torch_ref.models.SmallCNN(), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        model.train()
        for x, y in train_loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            correct = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in test_loader)
    return correct / len(test_set)


def end_with(parent: int) -> None:
    """End this process when its parent has ended, which shows as a change of parent."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Train, and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="end when this process has ended")
    args = parser.parse_args()
    threading.Thread(target=end_with, args=(args.parent,), daemon=True).start()
    started = time.perf_counter()
    if args.name == "plain":
        accuracy = train_plain(args.data_dir, args.epochs, args.threads)
    else:
        accuracy = train_engine(args.name, args.data_dir, args.epochs, args.threads)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "accuracy": accuracy, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
