"""MNIST's file format, IDX, and how its files are downloaded.

Folders, mirrors and checksums are torchvision's: the files are in ``DATA_DIR/MNIST/raw`` (or ``FashionMNIST/raw``),
where torchvision puts and finds them. torchvision is imported only for a download. Reading needs no more than this:

    bytes 0-3     0, 0, type (8: unsigned byte), number of axes
    then          the size of each axis, a big-endian 32-bit integer each
    then          the values, last axis fastest

(LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".)
"""

import hashlib
import math
import os
import shutil
import stat
import struct
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import files
from benchmarks.errors import Failure, shown
from benchmarks.tasks.task import Data, find_fault

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
    if missing := [name for name in FILES if is_missing(folder / name)]:
        fetch(data_dir, dataset, missing)
    x_train, y_train, x_test, y_test = (read_idx(folder / name, 3 if "images" in name else 1) for name in FILES)
    for images, labels, x, y in ((FILES[0], FILES[1], x_train, y_train), (FILES[2], FILES[3], x_test, y_test)):
        if x.shape[1:] != (28, 28):
            raise Failure(damaged(folder / images, f"expected images of 28 x 28 pixels, got shape {x.shape}"))
        if fault := find_fault(x, y, len(classes)):
            name = images if len(x) == 0 else labels
            words = "training set" if "train" in name else "test set"
            raise Failure(damaged(folder / name, f"{words}: {fault}"))
    return Data(as_pixels(x_train), y_train.astype(np.int64), as_pixels(x_test), y_test.astype(np.int64), classes)


def is_missing(path: Path) -> bool:
    """Return whether nothing has this name; raise ``Failure`` if something other than a file has it."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise Failure(f"{shown(path)} is a broken link; expected a file") from None
        return True
    except OSError as error:
        raise Failure(f"cannot read {shown(path)}: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise Failure(f"{shown(path)} is {files.kind(mode)}; expected a file")
    return False


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Turn bytes (rows, 28, 28) into float32 in [0, 1] of shape (rows, 1, 28, 28)."""
    pixels = images[:, None].astype(np.float32)
    pixels /= 255
    return pixels


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes with ``axes`` axes.

    The sizes in the header are checked against the file's length before the values are read.

    Raises
    ------
    Failure
        If the header is not IDX, has other axes, or announces another number of values than follow.
    """
    with files.open_regular(path) as file:
        length, start = os.fstat(file.fileno()).st_size, 4 + 4 * axes
        header = file.read(start)
        if not_idx := recognize(header):
            raise Failure(damaged(path, not_idx))
        if header[:3] != b"\0\0\x08":
            raise Failure(damaged(path, "its header is not that of an IDX file of bytes"))
        if len(header) < start or header[3] != axes:
            found = header[3] if len(header) > 3 else 0
            what = "images of 28 x 28 pixels, 3 axes" if axes == 3 else "labels, 1 axis"
            words = "training set" if path.name.startswith("train") else "test set"
            raise Failure(damaged(path, f"{words}: expected {what}, got a header of {len(header)} bytes, {found} axes"))
        shape = struct.unpack(f">{axes}I", header[4:])
        if length - start != math.prod(shape):
            raise Failure(damaged(path, f"its header announces {math.prod(shape)} values, {length - start} follow"))
        return np.frombuffer(file.read(length - start), np.uint8).reshape(shape)


def recognize(content: bytes) -> str | None:
    """Return what a file that is not IDX is, from its first bytes; None if that is not clear."""
    if content.startswith(b"\x1f\x8b"):
        return "it is compressed by gzip; name it .gz, or unpack it"
    if content.lstrip()[:1] == b"<":
        return "it is a web page"
    return None


def damaged(path: Path, reason: str) -> str:
    """Say what is wrong with a file, and what to do about it."""
    return f"{shown(path)} is damaged: {reason}; delete it and run again to download it again"


def fetch(data_dir: Path, dataset: str, missing: list[str]) -> None:
    """Download a set into a folder of its own, and move the files into place once all are complete.

    Archives that are there already are used, so that a person can put them there by hand.

    Raises
    ------
    Failure
        If the files cannot be downloaded or written; it says what is missing, and where to put it.
    """
    import torchvision

    folder = data_dir / dataset / "raw"
    archives = [folder / f"{name}.gz" for name in missing if not is_missing(folder / f"{name}.gz")]
    for archive in archives:
        check_archive(archive)
    source = getattr(torchvision.datasets, dataset)
    try:
        # A folder from which the files can be moved by a rename, and of which nothing is left if they do not come.
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        with tempfile.TemporaryDirectory(dir=nearest, prefix=".download-") as temporary:
            raw = Path(temporary, dataset, "raw")
            raw.mkdir(parents=True)
            for archive in archives:
                shutil.copy(archive, raw)
            source(temporary, download=True)
            folder.mkdir(parents=True, exist_ok=True)
            for name in missing:
                os.replace(raw / name, folder / name)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        sums = dict(source.resources)
        others = [shown(path) for path in archives if md5(path) != sums.get(path.name)]
        brought = f"; {', '.join(others)} not used: its checksum is not that of {dataset}" if others else ""
        raise Failure(
            f"{dataset}: missing {', '.join(missing)} in {shown(folder)}, and they could not be downloaded ({reason})"
            f"{brought}; put them there, unpacked or as .gz, or name another folder with --data-dir or BACKPROP_DATA; "
            "`backprop train digits` needs no data files"
        ) from error


def check_archive(path: Path) -> None:
    """Raise ``Failure`` unless a file begins like one of gzip's."""
    with files.open_regular(path) as file:
        content = file.read(64)
    if not content.startswith(b"\x1f\x8b"):
        found = recognize(content) or "it does not begin like a gzip file"
        raise Failure(damaged(path, f"expected a gzip archive; {found}"))


def md5(path: Path) -> str:
    """Return the checksum by which torchvision knows an archive."""
    with files.open_regular(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
