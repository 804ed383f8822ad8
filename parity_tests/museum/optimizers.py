"""Optimizers."""

import numpy as np

from parity_tests.museum.exhibit import optimizer
from scratch import optim


def gradient(block, group, decay=1.0):
    """Return the gradient with its sign and its decay, as it should be."""
    return (-block.g if group["maximize"] else block.g) + decay * group["weight_decay"] * block.w


@optimizer(caught="torch laws", lr=0.1, momentum=0.9, dampening=0.5)
class DampenedAtOnce(optim.SGD):
    """The first step is the gradient itself: the momentum buffer starts with g, not with (1 - dampening) g.

    The first steps are too short. Without dampening, nothing.
    """

    def update(self, block, t, group):
        b = block.state("momentum_buffer")
        b[...] = group["momentum"] * b + (1 - group["dampening"]) * gradient(block, group)
        block.w -= group["lr"] * b


@optimizer(caught="torch laws", lr=0.1, momentum=0.9, nesterov=True)
class NesterovWithoutMu(optim.SGD):
    """Nesterov's step is g + mu b; here it is g + b.

    Steps that are too long, by a tenth in the long run.
    """

    def update(self, block, t, group):
        g, b = gradient(block, group), block.state("momentum_buffer")
        b[...] = group["momentum"] * b + g
        block.w -= group["lr"] * (g + b if group["nesterov"] else b)


@optimizer(caught="torch laws", lr=0.1, momentum=0.9)
class LearningRateInsideTheMomentum(optim.SGD):
    """PyTorch applies lr after the averaging; the paper before it, so that the buffer remembers the old lr.

    Nothing while lr stays; after it was lowered, the first steps are still the old ones.
    """

    def update(self, block, t, group):
        b = block.state("momentum_buffer")
        b[...] = group["momentum"] * b + group["lr"] * gradient(block, group)
        block.w -= b


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1, maximize=True)
class DecayGoesUpToo(optim.SGD):
    """maximize turns the gradient round, and must leave the decay alone.

    The weights grow without bound.
    """

    def update(self, block, t, group):
        g = block.g + group["weight_decay"] * block.w
        block.w -= group["lr"] * (-g if group["maximize"] else g)


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayTwice(optim.SGD):
    """weight_decay adds lambda w, the gradient of lambda/2 |w|^2; here it adds 2 lambda w, that of lambda |w|^2.

    Regularization is twice as strong as in PyTorch with the same number.
    """

    def update(self, block, t, group):
        block.w -= group["lr"] * gradient(block, group, decay=2.0)


@optimizer(caught="torch laws", of="Optimizer SGD", lr=0.1, momentum=0.9)
class NoneTakenForZero(optim.SGD):
    """A parameter without gradient takes no step; here it is given a gradient of zeros.

    A frozen layer goes on moving, pushed by its momentum and shrunk by its decay.
    """

    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    parameter.grad = np.zeros_like(parameter.data)
        super().step()


@optimizer(caught="torch laws", of="Optimizer SGD", lr=0.1)
class GradientsKept(optim.SGD):
    """zero_grad does nothing.

    Every step goes along the sum of all gradients so far: the loss falls, overshoots and swings.
    """

    def zero_grad(self, set_to_none=True):
        pass


def adam(block, group):
    """Update Adam's means; return them."""
    m, v, (b1, b2) = block.state("exp_avg"), block.state("exp_avg_sq"), group["betas"]
    g = gradient(block, group)
    m[...] = b1 * m + (1 - b1) * g
    v[...] = b2 * v + (1 - b2) * g**2
    return m, v


@optimizer(caught="torch laws", lr=0.1)
class BiasNotCorrected(optim.Adam):
    """The means start at 0, and for the first steps are too small: they have to be divided by 1 - beta^t.

    The first steps are three times too long, as v is further from the truth than m; later, nothing.
    """

    def update(self, block, t, group):
        m, v = adam(block, group)
        block.w -= group["lr"] * m / (np.sqrt(v) + group["eps"])


@optimizer(caught="torch laws", lr=0.1, eps=1e-3)
class EpsUnderTheRoot(optim.Adam):
    """eps is added to the root, not under it.

    At the default of 1e-8 numbers with small gradients take much smaller steps than they should.
    """

    def update(self, block, t, group):
        (m, v), (b1, b2) = adam(block, group), group["betas"]
        block.w -= group["lr"] * m / (1 - b1**t) / np.sqrt(v / (1 - b2**t) + group["eps"])


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayDecoupled(optim.Adam):
    """Adam's weight_decay joins the gradient; the decay that stays outside is AdamW's.

    Better results than the paper's, perhaps; but not Adam's, and not those of the same numbers elsewhere.
    """

    def update(self, block, t, group):
        super().update(block, t, {**group, "decoupled_weight_decay": True})


@optimizer(caught="torch", lr=0.1, amsgrad=True)
class MaximumOfTheCorrected(optim.Adam):
    """PyTorch's amsgrad takes the maximum of v and corrects it then; here v is corrected first.

    The first v, divided by little, is remembered for ever: steps are too short for the rest of the training.
    """

    def update(self, block, t, group):
        (m, v), (b1, b2) = adam(block, group), group["betas"]
        v_max = block.state("max_exp_avg_sq")
        np.maximum(v_max, v / (1 - b2**t), out=v_max)
        block.w -= group["lr"] * m / (1 - b1**t) / (np.sqrt(v_max) + group["eps"])


@optimizer(caught="torch", lr=0.1)
class BetasExchanged(optim.Adam):
    """betas are those of the mean and of the mean square, in this order.

    Slow to start and slow to turn, and large steps after small gradients.
    """

    def update(self, block, t, group):
        super().update(block, t, {**group, "betas": group["betas"][::-1]})


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayInTheGradient(optim.AdamW):
    """AdamW's decay stays outside the means; here it joins the gradient, as in Adam.

    Weights with large gradients hardly decay, and the advantage over Adam is gone.
    """

    def update(self, block, t, group):
        super().update(block, t, {**group, "decoupled_weight_decay": False})


@optimizer(caught="torch laws", lr=0.1, weight_decay=0.1)
class DecayWithoutTheLearningRate(optim.AdamW):
    """The paper's decay is not multiplied by lr; PyTorch's is.

    With lr = 1e-3 the weights vanish within a few hundred steps.
    """

    def update(self, block, t, group):
        block.w *= 1 - group["weight_decay"]
        super().update(block, t, {**group, "weight_decay": 0.0})
