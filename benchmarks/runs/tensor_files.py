"""Arrays by name in the safetensors format, whose header is checked before a number is read.

    bytes 0-7     the length of the header, a little-endian integer
    then          the header, a JSON object: for each name dtype, shape and data_offsets (begin, end), counted from the
                  header's end; and __metadata__, texts by name
    then          the numbers, each array's in C order, one array after the other without a gap

(https://huggingface.co/docs/safetensors). The library writes it here. Reading is done by hand, since the library does
not promise to check a header before it allocates what that announces, or to say which file and field is wrong.
"""

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from benchmarks import files
from benchmarks.errors import Failure, shown
from benchmarks.runs import scheme
from benchmarks.runs.kinds import Choice, Integer, Mismatch, Text, Words
from benchmarks.runs.scheme import List, Mapped, Object

DTYPES = {
    **{"F64": "float64", "F32": "float32", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool"},
}
LARGEST_HEADER = 1 << 24
MOST_AXES = 16
ENTRY = Object(
    {
        "dtype": Choice(tuple(DTYPES)),
        "shape": List(Integer(0, 2**48)),
        "data_offsets": List(Integer(0, 2**60), 2),
    }
)
METADATA = Mapped(Text())

Header = dict[str, tuple[str, tuple[int, ...]]]


def write(path: Path, tensors: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None) -> str:
    """Replace the file at ``path`` with these arrays; return the SHA-256 of its content."""
    from safetensors.numpy import save

    # The library assumes that each array's memory is in C order.
    content = save({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}, metadata)
    files.write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read(
    path: Path, check: Callable[[dict[str, str], Header], None] | None = None, sha256: str | None = None
) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Read what `write` wrote.

    Parameters
    ----------
    path : Path
    check : callable, optional
        Takes the metadata, and the dtype and shape of each array, before the numbers are read; raises ``Failure`` or
        `kinds.Mismatch` if they are not what is wanted.
    sha256 : str, optional
        The checksum of the whole file.

    Returns
    -------
    metadata, tensors : dict

    Raises
    ------
    Failure
        If the file is missing, damaged, or has another checksum.
    """
    try:
        with files.open_regular(path) as file, scheme.naming(path):
            size = os.fstat(file.fileno()).st_size
            start, content = _read_header(file, size)
            metadata = content.pop("__metadata__", {})
            METADATA.check(metadata, "__metadata__")
            header = _check_header(content, size - start)
            if check is not None:
                check(metadata, header)
            file.seek(0)
            whole = file.read(size)
        if sha256 is not None and hashlib.sha256(whole).hexdigest() != sha256:
            raise ValueError("its content does not match its checksum")
        return metadata, {
            name: np.frombuffer(whole, dtype, math.prod(shape), start + content[name]["data_offsets"][0])
            .reshape(shape)
            .copy()
            for name, (dtype, shape) in header.items()
        }
    except FileNotFoundError:
        raise Failure(files.missing(path)) from None
    except (ValueError, OSError) as error:
        raise Failure(f"{shown(path)} is damaged: {error}") from None


def _read_header(file: BinaryIO, size: int) -> tuple[int, dict]:
    length, most = file.read(8), min(size - 8, LARGEST_HEADER)
    count = int.from_bytes(length, "little")
    if len(length) < 8 or not 2 <= count <= most:
        raise Mismatch("the header", f"of 2 to {max(2, most)} bytes", Words(str(count)))
    header = files.parse_json(file.read(count))
    if not isinstance(header, dict):
        raise Mismatch("the header", "an object", header)
    return 8 + count, header


def _check_header(content: dict, rest: int) -> Header:
    found, end = {}, 0
    for name, entry in content.items():
        ENTRY.check(entry, shown(name))
        if len(entry["shape"]) > MOST_AXES:
            raise Mismatch(f"{shown(name)}.shape", f"of at most {MOST_AXES} axes", Words(str(len(entry["shape"]))))
        found[name] = DTYPES[entry["dtype"]], tuple(entry["shape"])
    for name in sorted(found, key=lambda name: content[name]["data_offsets"]):
        dtype, shape = found[name]
        expected = [end, end + np.dtype(dtype).itemsize * math.prod(shape)]
        if content[name]["data_offsets"] != expected:
            raise Mismatch(f"{shown(name)}.data_offsets", str(expected), content[name]["data_offsets"])
        end = expected[1]
    if rest != end:
        raise Mismatch("what follows the header", f"the {end} bytes that it announces", Words(str(rest)))
    return found
