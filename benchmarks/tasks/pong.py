"""Pong: states as pixels, and a teacher who follows the ball.

The teacher reads where the ball and its paddle are from the console's memory (the addresses are those of Anand et al.,
"Unsupervised state representation learning in Atari", 2019, appendix), and moves the paddle towards the ball's height.
The network is to do the same from the pixels. Now and then a random action is played instead, so that the paddle also
gets to places where the teacher would not have gone; what is learned there is still what the teacher would do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.engines import Engine
from benchmarks.tasks import environments

STAY, UP, DOWN = 0, 2, 3
ACTIONS = ("stay", "fire", "up", "down", "up and fire", "down and fire")
FRAMES_A_STEP = 4
BALL_HEIGHT, PADDLE_HEIGHT = 54, 51  # in the console's 128 bytes of memory


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of behaviour cloning.

    Attributes
    ----------
    states, test_states : int
        How many states to learn from, and how many to test on: those that were met last.
    updates, batch_size : int
        Steps of Adam, and states in each.
    lr, max_norm : float
        The learning rate, and the gradient's largest norm.
    gamma : float
        The discount of the return that the critic learns.
    astray : float
        How often a random action is played instead of the teacher's.
    """

    states: int = 2000
    test_states: int = 500
    updates: int = 300
    batch_size: int = 32
    lr: float = 1e-3
    max_norm: float = 1.0
    gamma: float = 0.97
    astray: float = 0.2


@dataclass(frozen=True)
class Games:
    """What the teacher met, in order.

    Attributes
    ----------
    states : numpy.ndarray
        Shape (rows, 4, 84, 84), bytes.
    actions : numpy.ndarray
        Shape (rows,): the teacher's.
    returns : numpy.ndarray
        Shape (rows,): the next point, 1 if it was made and -1 if it was lost, discounted by how far off it was.
    background : numpy.ndarray
        Shape (84, 84): each pixel's median over time, which is the empty table.
    shown : int
        A row to look at: the last one where the teacher moved up.
    screen : numpy.ndarray
        Shape (210, 160, 3): what a player saw then.
    frames_per_second : float
        How fast the console was emulated, preprocessing included.
    """

    states: np.ndarray
    actions: np.ndarray
    returns: np.ndarray
    background: np.ndarray
    shown: int
    screen: np.ndarray
    frames_per_second: float

    def inputs(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return states as the network takes them: the background, which says nothing, is 0, and the ball about 4.

        Without this the network does no better than guessing for hundreds of updates: the background makes up most of
        its input, the ball four pixels of 7,056.
        """
        return (self.states[rows] - self.background) / np.float32(32)


def watch(recipe: Recipe, seed: int) -> Games:
    """Let the teacher play, and record what it met and did."""
    rng, rows = np.random.default_rng(seed), recipe.states + recipe.test_states
    env, state = environments.pong(seed)
    console = env.unwrapped.ale
    states, actions, rewards = np.empty((rows, *state.shape), np.uint8), np.empty(rows, np.int64), np.empty(rows)
    started = time.perf_counter()
    for row in range(rows):
        states[row], actions[row] = state, teacher(console.getRAM())
        if row == 0 or actions[row] == UP:
            shown, screen = row, console.getScreenRGB()
        played = rng.choice((STAY, UP, DOWN)) if rng.random() < recipe.astray else actions[row]
        state, rewards[row], ended, cut, _ = env.step(int(played))
        if ended or cut:
            state, _ = env.reset()
    speed = FRAMES_A_STEP * rows / (time.perf_counter() - started)
    background = np.median(states[: recipe.states, 0], axis=0).astype(np.float32)
    returns = next_points(rewards, recipe.gamma)
    return Games(states, actions, returns, background, shown, screen, speed)


def teacher(memory: np.ndarray) -> int:
    """Return the action that brings the paddle to the ball's height; stay where there is no ball."""
    ball, paddle = int(memory[BALL_HEIGHT]), int(memory[PADDLE_HEIGHT])
    if ball == 0 or abs(ball - paddle) <= 4:
        return STAY
    return UP if ball < paddle else DOWN


def next_points(rewards: np.ndarray, gamma: float) -> np.ndarray:
    """Return for each step the next reward that is not 0, times gamma for each step until it comes."""
    returns, following = np.empty_like(rewards), 0.0
    for row in reversed(range(len(rewards))):
        following = returns[row] = rewards[row] if rewards[row] != 0 else gamma * following
    return returns


def build(engine: Engine) -> object:
    """Build the encoder with both heads."""
    encoder = engine.models.NatureEncoder(dtype=engine.dtype)
    return engine.place(engine.models.ActorCritic(encoder, 512, len(ACTIONS), dtype=engine.dtype))


def batches(recipe: Recipe, games: Games, seed: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield states, actions, advantages of 1 and returns, in a random order that is the same for each engine."""
    rng = np.random.default_rng(seed)
    for _ in range(recipe.updates):
        rows = rng.choice(recipe.states, recipe.batch_size, replace=False)
        ones = np.ones(recipe.batch_size, np.float32)
        yield games.inputs(rows), games.actions[rows], ones, games.returns[rows].astype(np.float32)


def learner(engine: Engine, model: object, recipe: Recipe) -> Callable[[tuple[np.ndarray, ...]], tuple[float, ...]]:
    """Return a function that updates a model with one of the `batches`, and returns the loss and its terms.

    The update is the actor-critic's, with an advantage of 1 for everything that the teacher did.
    """
    criterion = engine.actor_critic.ActorCriticLoss(engine.nn.HuberLoss(), value_weight=1.0, entropy_weight=0.0)
    optimizer = engine.optim.Adam(model.parameters(), lr=recipe.lr)

    def learn(batch: tuple[np.ndarray, ...]) -> tuple[float, ...]:
        arrays = map(engine.asarray, batch)
        return tuple(engine.actor_critic.update(model, criterion, optimizer, *arrays, max_norm=recipe.max_norm))

    return learn


def clone(engine: Engine, recipe: Recipe, games: Games, seed: int) -> tuple[object, list[tuple[float, ...]]]:
    """Teach a network the teacher's actions, and its critic the returns; return it and the terms of each update."""
    engine.manual_seed(seed)
    model = build(engine)
    learn = learner(engine, model, recipe)
    return model, [learn(batch) for batch in batches(recipe, games, seed)]


def predict(engine: Engine, model: object, inputs: np.ndarray, batch_size: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of the actions, (N, 6), and the values, (N,), of many states."""
    parts = []
    for start in range(0, len(inputs), batch_size):
        outputs = engine.actor_critic.predict(model, engine.asarray(inputs[start : start + batch_size]))
        parts.append([engine.numpy(output) for output in outputs])
    probabilities, values = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    return probabilities, values
