"""What the lesson on world models plays: real CartPole that is watched, and CartPole that is dreamt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.engines import Engine
from benchmarks.tasks import environments
from benchmarks.tasks.cartpole import ACTIONS, STATE, Actor

CROP = slice(150, 310)  # of the 400 rows of a frame: where cart and pole are
BLOCK = 5, 10


class Played(NamedTuple):
    """What was seen, done and earned, in E environments over T steps.

    Attributes
    ----------
    frames : numpy.ndarray or None
        (T + 1, E, 1, 32, 60), grey, within [0, 1], dark except where cart and pole are.
    states : numpy.ndarray
        (T + 1, E, 4).
    actions : numpy.ndarray
        (T, E), integers.
    rewards : numpy.ndarray
        (T, E): 1, or 0 where the pole fell.
    real : numpy.ndarray of bool
        (T, E): False for the step that only resets an environment.
    """

    frames: np.ndarray | None
    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    real: np.ndarray


def small(frame: np.ndarray) -> np.ndarray:
    """Return a frame of Gymnasium's, (400, 600, 3) bytes, as (1, 32, 60)."""
    grey = frame[CROP].mean(axis=2) / 255
    rows, columns = (size // block for size, block in zip(grey.shape, BLOCK, strict=True))
    return 1 - grey.reshape(rows, BLOCK[0], columns, BLOCK[1]).mean(axis=(1, 3))[None].astype(np.float32)


def play(count: int, steps: int, seed: int, actor: Actor | None = None, drawn: bool = False) -> Played:
    """Play ``count`` CartPoles for ``steps``, at random or as an actor draws; keep their frames if ``drawn``."""
    rng = np.random.default_rng(seed)
    envs, state = environments.cartpole(count, seed, drawn)
    frames, states, actions, rewards, real = [], [state], [], [], []
    over = np.zeros(count, bool)
    look = (lambda: np.stack([small(frame) for frame in envs.render()])) if drawn else (lambda: None)
    frames.append(look())
    for _ in range(steps):
        probabilities = np.full((count, ACTIONS), 1 / ACTIONS) if actor is None else actor(state)[0]
        action = environments.draw(rng, probabilities)
        real.append(~over)
        state, _, fell, cut, _ = envs.step(action)
        over = fell | cut
        states.append(state)
        actions.append(action)
        rewards.append(1.0 - fell)
        frames.append(look())
    arrays = (np.array(values) for values in (states, actions, rewards, real))
    return Played(np.array(frames) if drawn else None, *arrays)


def windows(played: Played, length: int) -> list[tuple[int, int]]:
    """Return where ``length`` steps of one episode begin: (t, environment)."""
    whole = np.lib.stride_tricks.sliding_window_view(played.real, length, axis=0).all(axis=2)
    # An episode that ends within the window is followed by a step that only resets, which does not belong to it.
    return [tuple(place) for place in np.argwhere(whole)]


def one_hot(actions: np.ndarray) -> np.ndarray:
    """Return actions as rows of the identity."""
    return np.eye(ACTIONS, dtype=np.float32)[actions]


def draw_change(rng: np.random.Generator, logits: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Draw from mixtures of Gaussians, (..., mixture) to (...)."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True)).cumsum(axis=-1)
    which = (rng.random((*weights.shape[:-1], 1)) * weights[..., -1:] >= weights).sum(axis=-1)[..., None]
    mean, scale = (np.take_along_axis(values, which, axis=-1)[..., 0] for values in (mean, scale))
    return mean + scale * rng.normal(size=mean.shape)


def likeliest_change(logits: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the mean of each mixture, (..., mixture) to (...)."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (weights * mean).sum(axis=-1) / weights.sum(axis=-1)


class Dream:
    """CartPoles that exist only in a model; they step as Gymnasium's do.

    Parameters
    ----------
    engine : Engine
    model : Dynamics
        Predicts the next state, each number in units of ``spread``.
    spread : numpy.ndarray
        Shape (4,).
    starts : numpy.ndarray
        States that were seen, (any number, 4); each dream begins in one of them.
    count : int
        How many are dreamt at once.
    length : int
        After how many steps the model's memory is reset: it was trained on sequences of this length, and the four
        numbers are all that there is to remember.
    longest : int
        After how many steps a dream is cut off: the further it is from what was seen, the less it is worth.
    seed : int
        The seed of the random numbers that the dream is drawn with.
    """

    def __init__(
        self,
        engine: Engine,
        model: object,
        spread: np.ndarray,
        starts: np.ndarray,
        count: int,
        length: int,
        longest: int,
        seed: int,
    ) -> None:
        self.engine, self.model, self.spread, self.starts = engine, model, spread, starts
        self.length, self.longest = length, longest
        self.rng = np.random.default_rng(seed)
        self.over = np.ones(count, bool)
        self.states, self.steps = np.zeros((count, STATE), np.float32), np.zeros(count, int)
        self.memory = np.zeros((1, count, model.gru.hidden_size), np.float32)
        self._begin()
        self.over = np.zeros(count, bool)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Return states, rewards, whether each pole fell, whether it was cut off, and an empty dict."""
        begins = self.over
        asarray, numpy = self.engine.asarray, self.engine.numpy
        outputs, memory = self.engine.world_model.dream(
            self.model, asarray(self.states / self.spread), asarray(one_hot(actions)), asarray(self.memory)
        )
        logits, mean, scale, reward = map(numpy, outputs)
        change = draw_change(self.rng, logits, mean, scale) * self.spread
        fell = self.rng.random(len(reward)) >= 1 / (1 + np.exp(-reward))
        self.states, self.memory = (self.states + change).astype(np.float32), numpy(memory).copy()
        self.steps += 1
        self.memory[:, self.steps % self.length == 0] = 0
        cut = self.steps >= self.longest
        if begins.any():
            self._begin()
            fell, cut = fell & ~begins, cut & ~begins
        self.over = fell | cut
        return self.states, np.ones(len(fell)), fell, cut, {}

    def _begin(self) -> None:
        chosen = self.rng.integers(0, len(self.starts), self.over.sum())
        self.states[self.over], self.steps[self.over] = self.starts[chosen], 0
        self.memory[:, self.over] = 0
