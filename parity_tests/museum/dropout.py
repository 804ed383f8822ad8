"""Dropout."""

from parity_tests.harness.arrays import array
from parity_tests.museum.exhibit import layer
from scratch import nn, random
from scratch.nn.dropout import dropout, dropout_backward

X = array((6, 5))


def _unscaled_dropout(x, draw, p):
    return x * draw, (draw,)


@layer(X, args=(0.3,), caught="torch laws", passes_ones=False)
class NotScaledUp(nn.Dropout):
    """Training zeroes a share p and does not scale the rest by 1 / (1 - p).

    In evaluation activations are larger than they ever were in training; the test accuracy is lower than it should be.
    """

    functions = _unscaled_dropout, dropout_backward


def _unscaled_backward(grad_y, p, saved):
    (factor,) = saved
    return grad_y * factor * (1 - p)


@layer(X, args=(0.3,), caught="torch differences laws", passes_ones=False)
class BackwardNotScaledUp(nn.Dropout):
    """backward applies the mask, but not the factor 1 / (1 - p).

    The layers before this one learn 1 - p times as fast as they should.
    """

    functions = dropout, _unscaled_backward


@layer(X, args=(0.3,), training=False, caught="torch laws", passes_ones=True)
class ActiveInEvaluation(nn.Dropout):
    """``self.training`` is ignored, so evaluation drops units, too.

    Two evaluations of the same model differ, and both are worse than they should be.
    """

    def forward(self, x):
        self.check_input(x)
        return self.run(self.functions, x, self.draw(x), self.p)[0]


def _redrawing_backward(grad_y, draw, p, saved):
    again = random.bernoulli_(draw.copy(), 1 - p)
    return grad_y * again / (1 - p)


@layer(X, args=(0.3,), caught="torch differences laws", passes_ones=False)
class MaskRedrawn(nn.Dropout):
    """backward has to use forward's mask; here it draws its own.

    Units that were dropped get gradients, and others that were kept get none. Training is slower the larger p is.
    """

    functions = dropout, _redrawing_backward


def _keeping_dropout(x, draw, p):
    factor = draw / p
    return x * factor, (factor,)


@layer(X, options={"p": 0.2}, caught="torch laws", passes_ones=True)
class KeepsWhatItShouldDrop(nn.Dropout):
    """p is the probability of being dropped; in the first papers it was the probability of being kept.

    No effect at the default of 0.5. Dropout(0.1) drops nine units out of ten.
    """

    functions = _keeping_dropout, dropout_backward

    def draw(self, x):
        return nn.Dropout(1 - self.p).draw(x)


@layer(array((6, 5, 3, 2)), args=(0.3,), caught="torch laws", passes_ones=False)
class PixelsDroppedOneByOne(nn.Dropout2d):
    """Dropout2d drops whole channels; here every pixel is drawn separately.

    A dropped pixel's neighbours carry the same information, so there is hardly any regularization.
    """

    def room(self, x):
        return nn.Dropout(self.p).room(x)


def _one_draw_for_the_batch(x, draw, p):
    draw = draw[:1]
    return dropout(x, draw, p)


@layer(array((6, 5, 3, 2)), args=(0.3,), caught="torch laws", passes_ones=False)
class OneMaskForTheBatch(nn.Dropout2d):
    """Each image has its own draw for each channel; here all images share that of the first.

    A dropped channel learns nothing from the whole batch: the gradient is noisier than it should be.
    """

    functions = _one_draw_for_the_batch, dropout_backward
