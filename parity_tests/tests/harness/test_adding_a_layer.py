"""A layer has five places: its file, exports, catalogue entry, exhibits and tests. None may be forgotten.

Everything else (laws, special values, refusals, initial values, ownership, kernels, the tables of ``backprop parity``
and ``backprop mistakes``) is found from the catalogue and the museum. See ``.github/CONTRIBUTING.md``.
"""

import importlib
import pkgutil

import pytest
import torch

import torch_ref
from parity_tests.catalogue import CATALOGUE
from parity_tests.museum import EXHIBITS
from parity_tests.mutation_testing.files import suite_of
from scratch import nn


def defined():
    """Return the file of each class of `scratch.nn` that PyTorch has under the same name, exported or not."""
    found = {}
    for info in pkgutil.iter_modules(nn.__path__):
        for name, value in vars(importlib.import_module(f"scratch.nn.{info.name}")).items():
            is_layer = isinstance(value, type) and issubclass(value, nn.Module) and value is not nn.Module
            if is_layer and value.__module__ == f"scratch.nn.{info.name}" and hasattr(torch.nn, name):
                found[name] = f"scratch/nn/{info.name}.py"
    return found


LAYERS = defined()


def missing(name, file):
    """Return a sentence for each place that a layer is missing from; it names the file to edit."""
    sentences = []
    if name not in nn.__all__:
        sentences.append(f"{file}: {name} is not exported; import it in scratch/nn/__init__.py and add it to __all__")
    if not hasattr(torch_ref.nn, name):
        sentences.append(f"{file}: {name} has no counterpart; add one in torch_ref/nn.py")
    if name not in {entry.name for entry in CATALOGUE}:
        kind = "losses" if name.endswith("Loss") else "layers"
        sentences.append(f"{file}: {name} is not in the catalogue; add an entry in parity_tests/catalogue/{kind}.py")
    if name not in {known for exhibit in EXHIBITS for known in exhibit.of}:
        sentences.append(f"{file}: {name} has no exhibit in the museum; add one in a file of parity_tests/museum/")
    if not suite_of(file):
        stem = file.rpartition("/")[2]
        sentences.append(
            f"{file}: no test is found; add parity_tests/tests/layers/test_{stem}, or list the tests that hold it in "
            "TOPICS in parity_tests/mutation_testing/files.py"
        )
    return sentences


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_is_missing(name):
    assert missing(name, LAYERS[name]) == []


def test_every_exported_layer_is_one_of_them():
    modules = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)} - {"Module", "Parameter"}
    assert modules - set(LAYERS) == {name for name in modules if not hasattr(torch.nn, name)}
    assert len(LAYERS) >= 30


def test_what_is_forgotten_is_named_with_the_file_to_edit():
    said = "\n".join(missing("Unheard", "scratch/nn/unheard.py"))
    for place in (
        "scratch/nn/__init__.py",
        "torch_ref/nn.py",
        "parity_tests/catalogue/layers.py",
        "parity_tests/museum/",
        "parity_tests/tests/layers/test_unheard.py",
    ):
        assert place in said
    assert "parity_tests/catalogue/losses.py" in "\n".join(missing("UnheardLoss", "scratch/nn/unheard.py"))
