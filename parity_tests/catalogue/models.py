"""The networks' cases, with the weights that a seed gives them."""

import numpy as np
import torch

import scratch
import torch_ref
from parity_tests.catalogue.entry import Draw, LayerCase, entry
from parity_tests.harness.report import AGAIN


def both(d: Draw, name: str, *args: object, **options: object) -> tuple[scratch.nn.Module, torch.nn.Module]:
    """Return a network of each engine, in training or in evaluation."""
    scratch.manual_seed(d.seed)
    model = getattr(scratch.models, name)(*args, **options, dtype=np.dtype(d.dtype))
    return model.train(d.one_of(True, False)), getattr(torch_ref.models, name)(*args, **options)


@entry("MLP", "model")
def mlp(d: Draw) -> LayerCase:
    """With and without dropout and batch norm."""
    options = d.some_of(hid=(3, 8, 17), out_dim=(2, 5), pdrop=(0.1, 0.5), use_bn=(True, False))
    width = d.integer(1, 5)
    models = both(d, "MLP", width, **options)
    # A bias does nothing in front of a batch norm, which subtracts the mean: its gradient is 0, a sum of the same terms
    # as the weight's.
    budgets = {}
    if options.get("use_bn") and models[0].training:
        names = [f"net.{i}.grad_{{}}{again}" for i in (0, 4) for again in ("", AGAIN)]
        budgets = {name.format("bias"): name.format("weight") for name in names}
    return LayerCase(*models, (d.array((d.batch(3, 5, 8), width)),), budgets)


@entry("SmallCNN", "model", share=10)
def small_cnn(d: Draw) -> LayerCase:
    """On random images."""
    model, reference = both(d, "SmallCNN", **d.some_of(num_classes=(2, 10), pdrop=(0.0, 0.5)))
    return LayerCase(model, reference, (d.array((d.batch(1, 2), 1, 28, 28)),))


@entry("NatureEncoder", "model", share=20)
def nature_encoder(d: Draw) -> LayerCase:
    """On random frames."""
    frames = d.integer(1, 4)
    model, reference = both(d, "NatureEncoder", frames, d.integer(5, 64))
    return LayerCase(model, reference, (d.array((d.batch(1), frames, 84, 84)),))


@entry("ActorCritic", "model")
def actor_critic(d: Draw) -> LayerCase:
    """Two heads on an MLP, each with its own upstream gradient."""
    state, hidden, features, actions = d.integer(1, 5), d.integer(2, 8), d.integer(2, 8), d.integer(2, 4)
    scratch.manual_seed(d.seed)
    models = []
    for engine, dtype in ((scratch, np.dtype(d.dtype)), (torch_ref, torch.float32)):
        backbone = engine.nn.Sequential(
            engine.nn.Linear(state, hidden, dtype=dtype),
            engine.nn.Tanh(),
            engine.nn.Linear(hidden, features, dtype=dtype),
        )
        models.append(engine.models.ActorCritic(backbone, features, actions, dtype=dtype))
    return LayerCase(*models, (d.array((d.batch(1, 3, 6), state)),))
