"""A trained network as an ONNX model, which other programs run without this project and without PyTorch.

PyTorch's exporter turns the network of the torch engine into the model; the weights are either engine's. The packages
that this needs are an optional extra.
"""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator

import numpy as np

from benchmarks.engines import Engine
from benchmarks.errors import Failure

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
EXTRA = "pip install '.[onnx]' in the project's folder"


def require() -> None:
    """Raise ``Failure`` unless the packages of the extra are installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Failure(f"ONNX needs the onnx extra ({', '.join(missing)} not found): {EXTRA}")


def build(engine: Engine, model: object, x: np.ndarray) -> bytes:
    """Return a model of the torch engine as an ONNX file's content: from "input", of any number of rows, to "logits".

    Parameters
    ----------
    engine : Engine
        The torch engine, on the CPU.
    model : torch.nn.Module
        The network; it is put in evaluation mode, so that dropout vanishes and batch norm is a fixed scale.
    x : numpy.ndarray
        Rows to try the network on; the exporter traces it with two of them.
    """
    import torch

    # Two rows: the exporter would take a single one for an axis to broadcast along.
    example = engine.asarray(np.resize(x, (2, *x.shape[1:])))
    with _silent():
        program = torch.onnx.export(
            model.eval(),
            (example,),
            dynamo=True,
            input_names=["input"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            verbose=False,
        )
        proto = program.model_proto
    # Remove where each node came from: it includes the paths of files on this machine.
    graph = proto.graph
    for item in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.ClearField("metadata_props")
    return proto.SerializeToString()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    # The exporter prints what it does, and warns about its own future changes.
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def predict(content: bytes, x: np.ndarray, batch_size: int = 1000) -> np.ndarray:
    """Run an ONNX file's content with onnxruntime, on the CPU; return the logits.

    Raises
    ------
    Failure
        If onnxruntime cannot run it: it has no float64 convolution, for one.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        starts = range(0, len(x), batch_size)
        return np.concatenate([session.run(None, {"input": x[start : start + batch_size]})[0] for start in starts])
    except Exception as error:  # its exceptions have no class in common
        raise Failure(f"onnxruntime cannot run the {x.dtype} model: {error}") from None
