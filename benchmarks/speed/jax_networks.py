"""The networks of the timed steps in JAX: functions of a tuple of arrays, compiled as one with the Adam update."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.errors import Failure
from benchmarks.speed.work import Step

Arrays = tuple[jax.Array, ...]


def _dropout(key: jax.Array, x: jax.Array, p: float) -> jax.Array:
    return jnp.where(jax.random.bernoulli(key, 1 - p, x.shape), x / (1 - p), 0)


def _cnn(parameters: Arrays, key: jax.Array, x: jax.Array) -> jax.Array:
    w1, b1, w2, b2, w3, b3, w4, b4 = parameters
    for w, b in ((w1, b1), (w2, b2)):
        x = lax.conv_general_dilated(x, w, (1, 1), "SAME") + b[:, None, None]
        x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = jax.nn.relu(x.reshape(len(x), -1) @ w3.T + b3)
    return _dropout(key, x, 0.2) @ w4.T + b4


def _mlp(parameters: Arrays, key: jax.Array, x: jax.Array) -> jax.Array:
    *hidden, w_last, b_last = parameters
    for index in range(0, len(hidden), 4):
        w, b, scale, shift = hidden[index : index + 4]
        x = x @ w.T + b
        x = (x - x.mean(0)) * lax.rsqrt(x.var(0) + 1e-5) * scale + shift
        x = _dropout(jax.random.fold_in(key, index), jax.nn.relu(x), 0.1)
    return x @ w_last.T + b_last


def step(work: Step, dtype: str) -> Callable[[], object]:
    """Return a training step that starts from the same weights as the other contenders."""
    import scratch

    if dtype == "float64":
        raise Failure("--engine-b jax: float64 is a setting of the whole process in JAX; time it in float32")
    scratch.manual_seed(0)
    model = work.build(scratch.models, dtype)
    forward = _cnn if isinstance(model, scratch.models.SmallCNN) else _mlp
    parameters = tuple(jnp.asarray(parameter.data) for parameter in model.parameters())
    x, y = map(jnp.asarray, work.data(dtype))
    lr, decay = work.adam["lr"], work.adam.get("weight_decay", 0.0)

    def loss(parameters: Arrays, key: jax.Array) -> jax.Array:
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(parameters, key, x)), y[:, None], 1).mean()

    @jax.jit
    def update(parameters: Arrays, m: Arrays, v: Arrays, t: jax.Array, key: jax.Array) -> tuple:
        key, used = jax.random.split(key)
        grads = jax.grad(loss)(parameters, used)
        grads = tuple(g + decay * w for g, w in zip(grads, parameters, strict=True))
        m = tuple(0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True))
        v = tuple(0.999 * a + 0.001 * g * g for a, g in zip(v, grads, strict=True))
        rate = lr * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        moments = zip(parameters, m, v, strict=True)
        return tuple(w - rate * a / (jnp.sqrt(b) + 1e-8) for w, a, b in moments), m, v, t + 1, key

    zeros = tuple(map(jnp.zeros_like, parameters))
    state = [parameters, zeros, zeros, jnp.asarray(1.0), jax.random.key(0)]

    def run() -> None:
        state[:] = jax.block_until_ready(update(*state))

    return run
