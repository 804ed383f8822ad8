"""Gymnasium's environments, which are an optional extra: started here, with a one-line error where that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.errors import Failure

if TYPE_CHECKING:
    import gymnasium

EXTRA = "pip install '.[rl]' in the project's folder"


def cartpole(count: int, seed: int, drawn: bool = False) -> tuple[gymnasium.vector.VectorEnv, np.ndarray]:
    """Start ``count`` CartPoles that step together, as one array; return them and their first states, (count, 4).

    If ``drawn``, their ``render()`` returns a frame of each, (400, 600, 3) bytes.

    Raises
    ------
    Failure
        If Gymnasium is not installed, or does not start them.
    """
    gymnasium = require()
    try:
        look = {"render_mode": "rgb_array"} if drawn else {}
        envs = gymnasium.make_vec("CartPole-v1", num_envs=count, vectorization_mode="vector_entry_point", **look)
        return envs, envs.reset(seed=seed)[0]
    except Exception as error:
        raise _did_not_start("CartPole-v1", error) from None


def pong(seed: int) -> tuple[gymnasium.Env, np.ndarray]:
    """Start Pong; return it and its first state, (4, 84, 84) bytes.

    The preprocessing is the usual one (Mnih et al., "Human-level control through deep reinforcement learning", 2015,
    methods), by Gymnasium's wrappers: an action lasts four frames, of which the last two are merged by their maximum,
    in grey, 84 x 84; a state is the last four of these.

    Raises
    ------
    Failure
        If a package is not installed, or the environment does not start.
    """
    gymnasium = require()
    try:
        import ale_py
        from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        gymnasium.register_envs(ale_py)
        env = FrameStackObservation(AtariPreprocessing(gymnasium.make("ALE/Pong-v5", frameskip=1)), 4)
        return env, env.reset(seed=seed)[0]
    except (ImportError, gymnasium.error.DependencyNotInstalled) as error:
        raise Failure(f"Pong needs the rl extra ({' '.join(str(error).split())}): {EXTRA}") from None
    except Exception as error:
        raise _did_not_start("ALE/Pong-v5", error) from None


def require() -> object:
    """Return the module ``gymnasium``.

    Raises
    ------
    Failure
        If it is not installed.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise Failure(f"this needs the rl extra ({error}): {EXTRA}") from None
    return gymnasium


def draw(rng: np.random.Generator, probabilities: np.ndarray) -> np.ndarray:
    """Draw an action from each row: the first one whose cumulative probability exceeds a uniform random number."""
    cumulative = probabilities.cumsum(axis=1)
    return (rng.random((len(probabilities), 1)) * cumulative[:, -1:] >= cumulative).sum(axis=1)


def _did_not_start(name: str, error: Exception) -> Failure:
    return Failure(f"the environment {name} did not start: {type(error).__name__}: {error}")
