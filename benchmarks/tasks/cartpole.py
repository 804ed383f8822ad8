"""CartPole: keep a pole upright on a cart by pushing the cart left or right; each step that it stands earns 1.

The recipe is advantage actor-critic (A2C). Several environments play in parallel; after every few steps the
transitions become one batch, and one update is made.

    delta_t = r_t + gamma V(s_(t+1)) - V(s_t)                what the critic was surprised by at step t
    A_t     = delta_t + gamma lambda A_(t+1)                 the advantage: this surprise, and those that follow from it
    R_t     = A_t + V(s_t)                                   what the critic should have said

(Schulman et al., "High-dimensional continuous control using generalized advantage estimation", 2016, equation 16.)
Where the pole fell there is no next state: V(s_(t+1)) counts as 0. Where the episode was only cut off, at 500 steps,
the pole still stands, and V(s_(t+1)) counts; treating this as a fall would teach the critic that standing long is
dangerous.

The learner's reward per step is 1 - gamma, so that a pole that stands for ever is worth (1 - gamma)(1 + gamma + ...) =
1. With a reward of 1 it would be worth 1/(1 - gamma) = 100, the critic's squared error would start near 10,000, and its
gradient would drown the policy's in the backbone that the two share.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from benchmarks.engines import Engine
from benchmarks.tasks import environments

STATE, ACTIONS, LONGEST = 4, 2, 500
SOLVED = 475.0  # mean return over 100 episodes, Gymnasium's threshold for CartPole-v1


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters of training.

    Attributes
    ----------
    environments, horizon : int
        How many environments play, and how many steps they make between two updates.
    updates : int
        Steps of Adam; the learning rate falls linearly to 0.
    hidden : int
        Units of each of the backbone's two layers.
    gamma, trace : float
        The discount, and lambda above: how far a surprise is passed back.
    lr, entropy_weight, value_weight, max_norm : float
        The first learning rate, the weights of the loss's terms, and the gradient's largest norm.
    """

    environments: int = 32
    horizon: int = 8
    updates: int = 3000
    hidden: int = 64
    gamma: float = 0.99
    trace: float = 0.95
    lr: float = 2e-3
    entropy_weight: float = 3e-3
    value_weight: float = 0.5
    max_norm: float = 0.5


@dataclass
class Curve:
    """What happened in training.

    Attributes
    ----------
    actions : list of numpy.ndarray
        Per update: the actions drawn in it.
    terms : list of tuple of float
        Per update: loss, policy term, value term, entropy, norm of the gradient.
    episodes : list of pair of int
        Per finished episode: the update in which it ended, and its return.
    evaluations : list of pair
        Per evaluation: the updates made so far, and the mean return of the policy's likelier action.
    seconds : float
        Wall-clock time of the training, evaluations not included.
    """

    actions: list[np.ndarray] = field(default_factory=list)
    terms: list[tuple[float, ...]] = field(default_factory=list)
    episodes: list[tuple[int, int]] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0


class Batch(NamedTuple):
    """Transitions, one per row."""

    states: np.ndarray
    actions: np.ndarray
    advantages: np.ndarray
    returns: np.ndarray


class Actor:
    """A network of either engine behind a NumPy interface.

    Parameters
    ----------
    engine : Engine
    hidden : int
        Units of each of the backbone's two layers.
    """

    def __init__(self, engine: Engine, hidden: int = Recipe.hidden) -> None:
        nn, dtype = engine.nn, engine.dtype
        backbone = nn.Sequential(
            nn.Linear(STATE, hidden, dtype=dtype), nn.Tanh(), nn.Linear(hidden, hidden, dtype=dtype), nn.Tanh()
        )
        self.engine = engine
        self.model = engine.place(engine.models.ActorCritic(backbone, hidden, ACTIONS, dtype=dtype))

    def __call__(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities of the actions and the values of states, (N, 4) to (N, 2) and (N,)."""
        outputs = self.engine.actor_critic.predict(self.model, self.engine.asarray(states))
        return tuple(self.engine.numpy(output) for output in outputs)


class Players:
    """Environments that keep playing from update to update: real ones, or others that step in the same way."""

    def __init__(self, recipe: Recipe, seed: int, started: tuple[Any, np.ndarray] | None = None) -> None:
        self.recipe, self.rng = recipe, np.random.default_rng(seed)
        self.envs, self.states = started or environments.cartpole(recipe.environments, seed)
        self.over = np.zeros(recipe.environments, bool)
        self.standing = np.zeros(recipe.environments, int)

    def play(self, actor: Actor, ended: Callable[[int], None]) -> Batch:
        """Let the actor play for the recipe's horizon, and return the transitions; ``ended`` is told each return.

        The step after an episode's last one only resets the environment, whatever the action: it is not a transition,
        and is left out.
        """
        shape = (self.recipe.horizon, self.recipe.environments)
        states, actions = np.empty((*shape, STATE), np.float32), np.empty(shape, np.int64)
        values, rewards = np.empty((shape[0] + 1, shape[1])), np.empty(shape)
        fell, over, real = np.empty(shape, bool), np.empty(shape, bool), np.empty(shape, bool)
        for t in range(shape[0]):
            states[t], real[t] = self.states, ~self.over
            probabilities, values[t] = actor(self.states)
            actions[t] = environments.draw(self.rng, probabilities)
            self.states, rewards[t], fell[t], cut, _ = self.envs.step(actions[t])
            self.over = over[t] = fell[t] | cut
            self.standing += real[t]
            for steps in self.standing[self.over]:
                ended(int(steps))
            self.standing[self.over] = 0
        _, values[-1] = actor(self.states)
        advantages = generalized_advantages(rewards, values, fell, over, self.recipe.gamma, self.recipe.trace)
        returns = advantages + values[:-1]
        return Batch(*(rows[real] for rows in (states, actions, advantages, returns)))


def generalized_advantages(
    rewards: np.ndarray, values: np.ndarray, fell: np.ndarray, over: np.ndarray, gamma: float, trace: float
) -> np.ndarray:
    """Return A_t of the module's docstring.

    Parameters
    ----------
    rewards : numpy.ndarray
        Shape (T, E): T steps of E environments; scaled here by 1 - gamma.
    values : numpy.ndarray
        Shape (T + 1, E): the critic's, of the states before each step and after the last.
    fell, over : numpy.ndarray of bool
        Shape (T, E): whether the pole fell, and whether the step was the episode's last for this or another reason.
    gamma, trace : float
        The discount and lambda.
    """
    advantages, following = np.empty_like(values[:-1]), 0.0
    for t in reversed(range(len(rewards))):
        surprise = (1 - gamma) * rewards[t] + gamma * values[t + 1] * ~fell[t] - values[t]
        following = advantages[t] = surprise + gamma * trace * following * ~over[t]
    return advantages


def train(
    engine: Engine, seed: int, recipe: Recipe | None = None, on_update: Callable[[int], None] | None = None
) -> tuple[Actor, Curve]:
    """Train an actor by the recipe, evaluating it 60 times; ``on_update`` is told how many updates were made.

    Initial weights, first states and the numbers that actions are drawn with come from the seed and are the same in
    both engines, so both play the same game until rounding makes them diverge.
    """
    recipe = recipe or Recipe()
    engine.manual_seed(seed)
    actor, players, curve = Actor(engine, recipe.hidden), Players(recipe, seed), Curve()

    def evaluated(update: int) -> None:
        if update % max(recipe.updates // 60, 1) == 0:
            curve.evaluations.append((update, float(evaluate(actor, 20, seed + 10_000).mean())))
        if on_update is not None:
            on_update(update)

    learn(actor, players, curve, evaluated)
    return actor, curve


def learn(actor: Actor, players: Players, curve: Curve, on_update: Callable[[int], None] | None = None) -> None:
    """Train an actor on what its players play, by their recipe, and note what happens in ``curve``."""
    engine, recipe = actor.engine, players.recipe
    criterion = engine.actor_critic.ActorCriticLoss(engine.nn.MSELoss(), recipe.value_weight, recipe.entropy_weight)
    optimizer = engine.optim.Adam(actor.model.parameters(), lr=recipe.lr)
    for update in range(recipe.updates):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * (1 - update / recipe.updates)
        batch = players.play(actor, lambda steps, update=update: curve.episodes.append((update, steps)))
        arrays = (engine.asarray(rows) for rows in batch)
        terms = engine.actor_critic.update(actor.model, criterion, optimizer, *arrays, max_norm=recipe.max_norm)
        curve.seconds += time.perf_counter() - started
        curve.actions.append(batch.actions.astype(np.int8))
        curve.terms.append(tuple(terms))
        if on_update is not None:
            on_update(update + 1)


def evaluate(actor: Actor, episodes: int, seed: int) -> np.ndarray:
    """Return the returns, (episodes,), of episodes in which the actor always takes its likelier action."""
    envs, states = environments.cartpole(episodes, seed)
    returns, playing = np.zeros(episodes), np.ones(episodes, bool)
    while playing.any():
        states, rewards, fell, cut, _ = envs.step(actor(states)[0].argmax(axis=1))
        returns += rewards * playing
        playing &= ~(fell | cut)
    return returns


def visited(actor: Actor, seed: int) -> np.ndarray:
    """Return the states of one episode, (steps, 4), in which the actor always takes its likelier action."""
    envs, states = environments.cartpole(1, seed)
    seen, over = [], np.zeros(1, bool)
    while not over.any():
        seen.append(states[0])
        states, _, fell, cut, _ = envs.step(actor(states)[0].argmax(axis=1))
        over = fell | cut
    return np.array(seen)
