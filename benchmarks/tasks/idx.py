"""MNIST's file format, IDX, and how its files come here.

Folders, mirrors and checksums are torchvision's: the files lie in ``DATA_DIR/MNIST/raw`` (or ``FashionMNIST/raw``),
where torchvision puts and finds them. It is imported only for a
download. Reading needs no more than this:

    bytes 0-3     0, 0, type (8: unsigned byte), number of axes
    then          the size of each axis, a big-endian 32-bit integer each
    then          the values, last axis fastest

(LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".)
"""

import math
import os
import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.errors import Failure
from benchmarks.tasks.task import Data

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def load_idx(data_dir: Path, dataset: str, classes: tuple[str, ...]) -> Data:
    """Read one of torchvision's MNIST-like sets, downloading it if it is not there.

    Parameters
    ----------
    data_dir : Path
        torchvision's ``root``: the folder that holds the set's own.
    dataset : str
        The name of torchvision's class, which is also the folder's.
    classes : tuple of str
        The names of the classes.

    Returns
    -------
    Data
        Images as float32 in [0, 1], of shape (rows, 1, 28, 28).

    Raises
    ------
    Failure
        If files are missing and cannot be downloaded, or if one is damaged.
    """
    folder = data_dir / dataset / "raw"
    if any(not (folder / name).is_file() for name in FILES):
        fetch(data_dir, dataset)
    x_train, y_train, x_test, y_test = (read_idx(folder / name) for name in FILES)
    for path, images in ((folder / FILES[0], x_train), (folder / FILES[2], x_test)):
        if images.shape[1:] != (28, 28):
            raise Failure(damaged(path, f"expected images of 28 x 28 pixels, got shape {images.shape}"))
    return Data(as_pixels(x_train), y_train.astype(np.int64), as_pixels(x_test), y_test.astype(np.int64), classes)


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Turn bytes (rows, 28, 28) into float32 in [0, 1] of shape (rows, 1, 28, 28)."""
    pixels = images[:, None].astype(np.float32)
    pixels /= 255
    return pixels


def read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Raises
    ------
    Failure
        If the header is not IDX, or announces another number of values than follow.
    """
    content = path.read_bytes()
    axes = content[3] if len(content) > 3 else 0
    start = 4 + 4 * axes
    if content[:3] != b"\0\0\x08" or axes == 0 or len(content) < start:
        raise Failure(damaged(path, "its header is not that of an IDX file of bytes"))
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise Failure(damaged(path, f"its header announces {math.prod(shape)} values, {len(content) - start} follow"))
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def damaged(path: Path, reason: str) -> str:
    """Say what is wrong with a file, and the way out."""
    return f"{path} is damaged: {reason}; delete it and run again to download it anew"


def fetch(data_dir: Path, dataset: str) -> None:
    """Download a set into a folder of its own, and move the files into place when all are whole.

    Archives that are there already are used, so that a person can bring them by hand.

    Raises
    ------
    Failure
        If the files cannot be downloaded or written: what is missing, where to put it, and what needs no download.
    """
    import torchvision

    folder = data_dir / dataset / "raw"
    missing = [name for name in FILES if not (folder / name).is_file()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as temporary:
            raw = Path(temporary, dataset, "raw")
            raw.mkdir(parents=True)
            for archive in folder.glob("*-ubyte.gz"):
                shutil.copy(archive, raw)
            getattr(torchvision.datasets, dataset)(temporary, download=True)
            for name in missing:
                os.replace(raw / name, folder / name)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise Failure(
            f"{dataset}: missing {', '.join(missing)} in {folder}, and they could not be downloaded ({reason}); "
            "put them there, unpacked or as .gz, or name another folder with --data-dir or BACKPROP_DATA; "
            "`backprop train digits` needs no data files"
        ) from error
