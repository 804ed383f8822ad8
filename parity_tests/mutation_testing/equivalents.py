"""Mutants (`parity_tests.mutation_testing`) that no test could tell from the original, each with the reason.

In `EQUIVALENT` the key is (file, the line before, the line after); a changed line therefore has to be looked at again.
`FORMS` are ways to write the same thing, anywhere.
"""

import re

# (pattern, what stands for every form of it, reason)
FORMS = (
    (r"(reshape\([^()]*)-\d", r"\1-1", "NumPy infers the size for any negative number"),
    (
        r"\bstrict=\w+",
        "",
        "the lengths are equal whatever a caller passes; saying so is for the reader, and no test can make them differ",
    ),
    (r"order=(\"[Kk]\"|None)", 'order="K"', "the order in memory, on which no number depends"),
    (r"order=\"[Cc]\"", 'order="C"', "NumPy accepts either letter"),
    (r",\s*(channels_last=[^(),]*)?\)", ")", "the order in memory, on which no number depends"),
    (r"\((is_read\(\d\)|reads_\w+)\) or True", r"\1", "a gradient that nobody reads is left out to save time"),
    (r"(np\.add\.reduce\(.*), axis=0\)", r"\1, )", "axis 0 is NumPy's default"),
    (r"planes=\w+", "planes", "the order in memory, on which no number depends"),
    (r",\s*(passes=\w+)?\)", ")", "how long the blocks are: a choice of speed"),
    (r"(with_slope\(\w+, x, )(\d [*/] PASSES|\d)\)", r"\1PASSES)", "how long the blocks are: a choice of speed"),
)


def why_equivalent(file: str, before: str, after: str) -> str | None:
    """Return why no test could tell a mutant from the original; None if one could."""
    if (file, before, after) in EQUIVALENT:
        return EQUIVALENT[file, before, after]
    for pattern, form, reason in FORMS:
        if re.sub(pattern, form, before) == re.sub(pattern, form, after):
            return reason
    return None


EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "scratch/nn/hardswish.py",
        "y = np.where(x >= 3, 1, np.maximum(x + 3, 0) / 6)  # F1 (...)",
        "y = np.where(x > 3, 1, np.maximum(x + 3, 0) / 6)  # F1 (...)",
    ): "at the bound itself both branches have its value",
    (
        "scratch/nn/hardswish.py",
        "gate = np.where(x >= 3, 1, np.maximum(x + 3, 0) / 6)  # F1 (...)",
        "gate = np.where(x > 3, 1, np.maximum(x + 3, 0) / 6)  # F1 (...)",
    ): "at the bound itself both branches have its value",
    (
        "scratch/nn/selu.py",
        "grad_e = np.where(positive, 0, SCALE * ALPHA * grad_y)  # B3 (...)",
        "grad_e = np.where(positive, 1, SCALE * ALPHA * grad_y)  # B3 (...)",
    ): "where x is positive, another branch is taken",
    (
        "scratch/nn/selu.py",
        "grad_e = np.where(positive, 0, alpha * grad_y)  # B3 (...)",
        "grad_e = np.where(positive, 1, alpha * grad_y)  # B3 (...)",
    ): "where x is positive, another branch is taken",
    (
        "scratch/nn/hardtanh.py",
        "y = np.where(x >= max_val, max_val, np.maximum(x, min_val))  # F1 (...)",
        "y = np.where(x > max_val, max_val, np.maximum(x, min_val))  # F1 (...)",
    ): "at the bound itself both branches have its value",
    (
        "scratch/nn/module_state.py",
        'for prefix, module in self._walk(""):',
        "for prefix, module in self._walk(None):",
    ): "None is false, like an empty prefix",
    (
        "scratch/nn/module_state.py",
        'faults += [f"missing key {key!r}" for key in missing]',
        'faults = [f"missing key {key!r}" for key in missing]',
    ): "the list is empty before",
    (
        "scratch/nn/loss.py",
        "losses = np.where(size <= delta, d**2 / 2, delta * (size - delta / 2))  # F3 (...)",
        "losses = np.where(size < delta, d**2 / 2, delta * (size - delta / 2))  # F3 (...)",
    ): "where they meet, at abs(d) = delta, both halves of Huber's loss are delta^2 / 2",
    (
        "scratch/nn/loss.py",
        "losses = np.where(size < beta, d**2 / (2 * beta), size - beta / 2)  # F3 (...)",
        "losses = np.where(size <= beta, d**2 / (2 * beta), size - beta / 2)  # F3 (...)",
    ): "where they meet, at abs(d) = beta, both halves are beta / 2",
    (
        "scratch/nn/normal_distribution.py",
        "return np.where(x > 0, 1 - tail, tail)",
        "return np.where(x >= 0, 1 - tail, tail)",
    ): "at 0 the tail is a half, and 1 - 1/2 is 1/2",
    (
        "scratch/kernels/normal_distribution.py",
        "np.subtract(np.greater(x, 0.0), tail, out=tail)",
        "np.subtract(np.greater_equal(x, 0.0), tail, out=tail)",
    ): "at 0 the tail is a half, and 1 - 1/2 is 1/2",
    (
        "scratch/nn/nll.py",
        "return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.ndim > 2 else x.reshape(1, -1)",
        "return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.ndim >= 2 else x.reshape(1, -1)",
    ): "an input of two axes has already been returned",
    (
        "scratch/kernels/channel_sums.py",
        "return np.add.reduce(images @ ones(images.shape[2], x.dtype), axis=0)",
        "return np.add.reduce(images @ ones(images.shape[2], x.dtype), )",
    ): "axis 0 is NumPy's default",
    (
        "scratch/optim/optimizer.py",
        'options = {name: value for name, value in group.items() if name != "params"}',
        'options = {name: value for name, value in group.items() if name != "XXparamsXX"}',
    ): 'the next line but one sets "params" anyway',
    (
        "scratch/optim/optimizer.py",
        'options = {name: value for name, value in group.items() if name != "params"}',
        'options = {name: value for name, value in group.items() if name != "PARAMS"}',
    ): 'the next line but one sets "params" anyway',
    (
        "scratch/kernels/patches.py",
        "return kernel[1] * channels < columns",
        "return kernel[1] * channels <= columns",
    ): "a choice of speed: either order is the same matrix",
    (
        "scratch/kernels/batchnorm.py",
        "count = max(len(x), 1)  # an empty batch has sums of zero, and its means are never read",
        "count = max(len(x), 2)  # an empty batch has sums of zero, and its means are never read",
    ): "zero divided by two is zero, too",
    (
        "scratch/nn/embedding.py",
        "return self.weight.data, -1 if self.padding_idx is None else self.padding_idx",
        "return self.weight.data, -2 if self.padding_idx is None else self.padding_idx",
    ): "no index is negative",
    (
        "scratch/nn/init.py",
        "q = q * np.sign(np.diag(r))",
        "q = q / np.sign(np.diag(r))",
    ): "a sign is its own inverse",
    (
        "scratch/kernels/channel_sums.py",
        "factors.flags.writeable = False",
        "factors.flags.writeable = None",
    ): "None is false, too",
    (
        "scratch/kernels/patch_plan.py",
        "if self.block == (1, 1):",
        "if self.block == (2, 1):",
    ): "blocks of one pixel are the pixels",
    (
        "scratch/kernels/patch_plan.py",
        "if self.block == (1, 1):",
        "if self.block == (1, 2):",
    ): "blocks of one pixel are the pixels",
    (
        "scratch/kernels/patch_plan.py",
        "return im2col(seen, self.kernel, self.stride, self.dilation, self.groups, self.planes)",
        "return im2col(seen, self.kernel, self.stride, self.dilation, self.groups, None)",
    ): "the order in memory, on which no number depends",
    (
        "scratch/kernels/patch_plan.py",
        "elif self.padded == grad_x.shape[2:]:",
        "elif self.padded == grad_x.shape[3:]:",
    ): "a detour over an array of its own, to the same numbers",
    (
        "scratch/kernels/winograd_chunk.py",
        "self.grad_u, self.both_ways = memory.empty((points**2, c, o), dtype), tiles.both_ways.astype(dtype)",
        "self.grad_u, self.both_ways = memory.empty((points**2, c, o), dtype), tiles.both_ways.astype(None)",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/winograd_chunk.py",
        "column = (b - left) % 2",
        "column = (b + left) % 2",
    ): "of the same parity",
    (
        "scratch/kernels/winograd_chunk.py",
        "if size[0] % 2 == 0 and size[1] % 2 == 0:",
        "if size[0] / 2 == 0 and size[1] % 2 == 0:",
    ): "a choice of speed: the same numbers in one copy or in four",
    (
        "scratch/kernels/winograd_chunk.py",
        "if size[0] % 2 == 0 and size[1] % 2 == 0:",
        "if size[0] % 2 == 0 and size[1] / 2 == 0:",
    ): "a choice of speed: the same numbers in one copy or in four",
    (
        "scratch/kernels/winograd_chunk.py",
        "self.add_up = tiles.add_up(m) + tiles.add_up(m[:2].swapaxes(0, 1))",
        "self.add_up = tiles.add_up(m) + tiles.add_up(m[:3].swapaxes(0, 1))",
    ): "one more row, which nobody reads",
    (
        "scratch/kernels/winograd_chunk.py",
        "self.beyond = [m[last, ::last, size[0] // 2 :], m[::last, last, :, size[1] // 2 :]]",
        "self.beyond = [m[last, ::last, size[0] // 3 :], m[::last, last, :, size[1] // 2 :]]",
    ): "more zeros, which are overwritten",
    (
        "scratch/kernels/winograd_chunk.py",
        "self.beyond = [m[last, ::last, size[0] // 2 :], m[::last, last, :, size[1] // 2 :]]",
        "self.beyond = [m[last, ::last, size[0] // 2 :], m[::last, last, :, size[1] // 3 :]]",
    ): "more zeros, which are overwritten",
    (
        "scratch/kernels/winograd.py",
        "flat = a.transpose(0, 2, 3, 1).reshape(-1) if a.ndim == 4 else a.reshape(-1)",
        "flat = a.transpose(0, 2, 3, 1).reshape(-1) if (a.ndim == 4) and False else a.reshape(-1)",
    ): "a copy instead of a view, of the same numbers",
    (
        "scratch/kernels/winograd.py",
        "flat = a.transpose(0, 2, 3, 1).reshape(-1) if a.ndim == 4 else a.reshape(-1)",
        "flat = a.transpose(0, 2, 3, 1).reshape(-1) if a.ndim == 5 else a.reshape(-1)",
    ): "a copy instead of a view, of the same numbers",
    (
        "scratch/nn/row_norm.py",
        "weight: Parameter | None = None",
        'weight: Parameter | None = ""',
    ): "every normalization sets its own weight, or None",
    (
        "scratch/nn/functional.py",
        'if backward is not None and getattr(forward, "__module__", "") == module.__name__:',
        'if backward is not None and getattr(forward, "__module__", ) == module.__name__:',
    ): "what has a backward is a function, and every function has a module",
    (
        "scratch/nn/functional.py",
        'if backward is not None and getattr(forward, "__module__", "") == module.__name__:',
        'if backward is not None and getattr(forward, "__module__", None) == module.__name__:',
    ): "what has a backward is a function, and every function has a module",
    (
        "scratch/nn/record.py",
        "return Record._make([*[None] * 11, 0, 0])",
        "return Record._make([*[None] * 11, 1, 0])",
    ): "nobody asks in which thread no forward has run",
    (
        "scratch/nn/between.py",
        "if type(y) is not ndarray:",
        "if type(None) is not ndarray:",
    ): "np.asarray returns an array as it is",
    (
        "scratch/nn/between.py",
        "return grad_x if type(grad_x) is ndarray else np.asarray(grad_x)",
        "return grad_x if type(None) is ndarray else np.asarray(grad_x)",
    ): "np.asarray returns an array as it is",
    (
        "scratch/nn/between.py",
        "parameter.take_grad(layer.unfold_grad(grad, parameter) if layer._has_unfold_grad else grad)",
        "parameter.take_grad(layer.unfold_grad(grad, parameter) if (layer._has_unfold_grad) or True else grad)",
    ): "asking only saves a call: by default unfold_grad returns what it is given",
    (
        "scratch/nn/attention_mask.py",
        "return 0.0",
        "return 1.0",
    ): "added to all scores alike, which does not change the softmax",
    (
        "scratch/nn/conv.py",
        "stride, dilation = self.on_images(self.stride, 1), self.on_images(self.dilation, 1)",
        "stride, dilation = self.on_images(self.stride, 1), self.on_images(self.dilation, 2)",
    ): "along the axis that a sequence lacks the kernel has one place, whose neighbours are nowhere",
    (
        "scratch/kernels/attention.py",
        "moderate = np.minimum.reduce(line, initial=0.0) > -MODERATE and "
        "np.maximum.reduce(line, initial=0.0) < MODERATE",
        "moderate = np.minimum.reduce(line, initial=0.0) > -MODERATE and "
        "np.maximum.reduce(line, initial=1.0) < MODERATE",
    ): "1 is moderate, too",
    (
        "scratch/kernels/attention.py",
        "moderate = np.minimum.reduce(line, initial=0.0) > -MODERATE and "
        "np.maximum.reduce(line, initial=0.0) < MODERATE",
        "moderate = None",
    ): "a choice of speed: the way for large scores is right for all",
    (
        "scratch/kernels/attention.py",
        "return list(product(examples, blocks(shape[1], example // shape[1], BLOCK_BYTES)))",
        "return list(product(examples, ))",
    ): "a choice of speed: all heads of an example in one block",
    (
        "scratch/kernels/attention.py",
        "mask, factors = _spread(attn_mask, 0.0, shape, dtype), _spread(factor, 1.0, shape, dtype)",
        "mask, factors = _spread(attn_mask, 0.0, shape, dtype), _spread(factor, None, shape, dtype)",
    ): "times 1, which changes nothing",
    (
        "scratch/kernels/flat_parameters.py",
        "return grads[0].reshape(-1) if len(grads) == 1 else np.concatenate(grads, axis=None)",
        "return grads[0].reshape(-1) if (len(grads) == 1) and False else np.concatenate(grads, axis=None)",
    ): "a copy of one, of the same numbers",
    (
        "scratch/kernels/flat_parameters.py",
        "if len(parameters) > 1:",
        "if len(parameters) >= 1:",
    ): "room that nobody uses, as `values` asks again",
    (
        "scratch/kernels/multihead_attention.py",
        "if max(len(rows) for rows in inputs) * inputs[0].shape[1] ** 2 * inputs[0].itemsize > products.SMALL_PRODUCT:",
        "if max(len(rows) for rows in inputs) / inputs[0].shape[1] ** 2 * inputs[0].itemsize > products.SMALL_PRODUCT:",
    ): "a choice of speed: whether threads share the products",
    (
        "scratch/kernels/multihead_attention.py",
        "if max(len(rows) for rows in inputs) * inputs[0].shape[1] ** 2 * inputs[0].itemsize > products.SMALL_PRODUCT:",
        "if max(len(rows) for rows in inputs) * inputs[1].shape[1] ** 2 * inputs[0].itemsize > products.SMALL_PRODUCT:",
    ): "a choice of speed: whether threads share the products",
    (
        "scratch/kernels/sequence_products.py",
        "grad_bias_hh = channel_sum(b) if grad_bias_ih is None or grad_a is not grad_b else grad_bias_ih.copy()",
        "grad_bias_hh = channel_sum(b) if (grad_bias_ih is None or grad_a is not grad_b) or True else "
        "grad_bias_ih.copy()",
    ): "one more sum, of the same numbers",
    (
        "scratch/nn/linear.py",
        "return y if len(input_shape) == 2 else y.reshape(*input_shape[:-1], y.shape[-1])",
        "return y if len(input_shape) == 2 else y.reshape(*input_shape[:-1], y.shape[+1])",
    ): "a matrix's last axis is axis 1",
    (
        "scratch/nn/layer.py",
        "if type(grad_x) is not ndarray:",
        "if type(None) is not ndarray:",
    ): "np.asarray returns an array as it is",
    (
        "scratch/nn/selu.py",
        "e = np.expm1(np.minimum(0, x))  # F2 (...)",
        "e = np.expm1(np.minimum(1, x))  # F2 (...)",
    ): "where x is positive, another branch is taken",
    (
        "scratch/nn/selu.py",
        "e = np.expm1(np.minimum(0, x) / alpha)  # F2 (...)",
        "e = np.expm1(np.minimum(1, x) / alpha)  # F2 (...)",
    ): "where x is positive, another branch is taken",
    (
        "scratch/nn/selu.py",
        "grad_e = np.where(positive, 0, alpha * grad_y)  # B3 (...)",
        "grad_e = np.where(None, 0, alpha * grad_y)  # B3 (...)",
    ): "where x is positive, another branch is taken",
    (
        "scratch/nn/relu.py",
        "grad_e = np.where(positive, 0, alpha * grad_y)  # B3 (...)",
        "grad_e = np.where(positive, 1, alpha * grad_y)  # B3 (...)",
    ): "where x is positive, another branch is taken",
    (
        "scratch/nn/reduction.py",
        'self.__dict__["_loss"] = y if y.ndim == 0 else None',
        'self.__dict__["_loss"] = y if (y.ndim == 0) or True else None',
    ): "compared only where the loss is one number",
    (
        "scratch/nn/parameter.py",
        "self.count = 0",
        "self.count = 1",
    ): "only compared with itself, later",
    (
        "scratch/kernels/multihead_attention.py",
        "cuts = [slice(begin, begin + COLUMNS) for begin in range(0, size, COLUMNS)]",
        "cuts = [slice(begin, begin + COLUMNS) for begin in range(0, size, )]",
    ): "columns are computed more than once, and are the same",
    (
        "scratch/nn/selu.py",
        "grad_e = np.where(positive, 0, SCALE * ALPHA * grad_y)  # B3 (...)",
        "grad_e = np.where(None, 0, SCALE * ALPHA * grad_y)  # B3 (...)",
    ): "where x is positive, another branch is taken",
    (
        "scratch/kernels/attention.py",
        "example = math.prod(shape[1:]) * dtype.itemsize",
        "example = math.prod(shape[2:]) * dtype.itemsize",
    ): "a choice of speed: how much is in a block",
    (
        "scratch/kernels/attention.py",
        "scores -= np.maximum.reduce(scores, axis=-1, keepdims=True, initial=lowest)",
        "scores -= np.maximum.reduce(scores, axis=+1, keepdims=True, initial=lowest)",
    ): "a matrix's last axis is axis 1",
    (
        "scratch/kernels/attention.py",
        "mask, factors = _spread(attn_mask, 0.0, shape, dtype), _spread(factor, 1.0, shape, dtype)",
        "mask, factors = _spread(attn_mask, 0.0, shape, None), _spread(factor, 1.0, shape, dtype)",
    ): "a mask has the scores' dtype, and 0 is 0 in any",
    (
        "scratch/kernels/attention.py",
        "factors, grads = _spread(factor, 1.0, p.shape, p.dtype), _spread(grad_weights, 0.0, p.shape, p.dtype)",
        "factors, grads = _spread(factor, 2.0, p.shape, p.dtype), _spread(grad_weights, 0.0, p.shape, p.dtype)",
    ): "times 1, which changes nothing",
    (
        "scratch/optim/state.py",
        "self.layout: Any = None",
        'self.layout: Any = ""',
    ): "every parameter is met before it is read, which sets it",
    (
        "scratch/optim/state.py",
        "self.starts = [0]",
        "self.starts = [1]",
    ): "all numbers lie one place further on",
    (
        "scratch/distributions/categorical.py",
        "p = probs.reshape(-1, probs.shape[-1])",
        "p = probs.reshape(-2, probs.shape[-1])",
    ): "NumPy infers the size for any negative number",
    (
        "scratch/distributions/mixture.py",
        "fits = False",
        "fits = None",
    ): "only tested for truth",
    (
        "scratch/distributions/mixture.py",
        "inputs = grad_inputs = 4",
        "inputs = grad_inputs = 5",
    ): "there are no more arguments than inputs",
    (
        "scratch/policy_gradient.py",
        "inputs = 3",
        "inputs = 4",
    ): "there are no more arguments than inputs",
    (
        "scratch/nn/reduction.py",
        "return self.unfold(grad_x, record.input_shape) if record.folds else grad_x",
        "return self.unfold(grad_x, record.input_shape) if (record.folds) or True else grad_x",
    ): "a loss that folds nothing unfolds nothing",
    (
        "scratch/nn/reduction.py",
        "if self.grad_inputs > 1:",
        "if self.grad_inputs > 2:",
    ): "of two gradients, behind it, too, the tuple is returned as it is",
    (
        "scratch/nn/functional.py",
        'if topic.name == "functional":',
        'if topic.name == "XXfunctionalXX":',
    ): "this file itself has no pair of functions",
    (
        "scratch/nn/functional.py",
        'if topic.name == "functional":',
        'if topic.name == "FUNCTIONAL":',
    ): "this file itself has no pair of functions",
    (
        "scratch/nn/functional.py",
        'if backward is not None and getattr(forward, "__module__", "") == module.__name__:',
        'if backward is not None and getattr(forward, "__module__", "XXXX") == module.__name__:',
    ): "what has a backward is a function, and every function has a module",
    (
        "scratch/nn/linear.py",
        "return y if len(input_shape) == 2 else y.reshape(*input_shape[:-1], y.shape[-1])",
        "return y if (len(input_shape) == 2) and False else y.reshape(*input_shape[:-1], y.shape[-1])",
    ): "a reshape to the shape that it has",
    (
        "scratch/nn/parameter.py",
        "self._taken, self._thread = None, 0",
        "self._taken, self._thread = None, 1",
    ): "read only where a gradient was taken, which sets it",
    (
        "scratch/nn/parameter.py",
        "self._thread = 0",
        "self._thread = 1",
    ): "read only where a gradient was taken, which sets it",
    (
        "scratch/nn/parameter.py",
        "self._thread = 0",
        "self._thread = None",
    ): "read only where a gradient was taken, which sets it",
    (
        "scratch/kernels/softmax.py",
        "return parts_of(x) if x.ndim > 1 else [slice(None)]",
        "return parts_of(x) if (x.ndim > 1) and False else [slice(None)]",
    ): "a choice of speed: all rows in one block",
    (
        "scratch/kernels/softmax.py",
        "return parts_of(x) if x.ndim > 1 else [slice(None)]",
        "return parts_of(x) if x.ndim > 2 else [slice(None)]",
    ): "a choice of speed: all rows in one block",
    (
        "scratch/kernels/softmax.py",
        "return memory.empty_like(x) if x.flags.c_contiguous else np.empty_like(x)",
        "return memory.empty_like(x) if (x.flags.c_contiguous) and False else np.empty_like(x)",
    ): "where a result is kept",
    (
        "scratch/kernels/softmax.py",
        "return memory.empty_like(x) if x.flags.c_contiguous else np.empty_like(x)",
        "return memory.empty_like(x) if (x.flags.c_contiguous) or True else np.empty_like(x)",
    ): "where a result is kept",
    (
        "scratch/kernels/quotient.py",
        "np.dtype(dtype): tuple(np.array(values, dtype) for values in pair)",
        "np.dtype(dtype): tuple(np.array(values, None) for values in pair)",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/quotient.py",
        "np.dtype(dtype): tuple(np.array(values, dtype) for values in pair)",
        "np.dtype(dtype): tuple(np.array(values, ) for values in pair)",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/rmsnorm.py",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), x.dtype)",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), None)",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/rmsnorm.py",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), x.dtype)",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), )",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/rmsnorm.py",
        "np.matmul(ones(len(grad), grad.dtype), np.multiply(grad, n, out=out), out=sums[place])",
        "np.matmul(ones(len(grad), None), np.multiply(grad, n, out=out), out=sums[place])",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/channel_sums.py",
        "if len(x) <= MANY_ROWS:",
        "if len(x) < MANY_ROWS:",
    ): "this many rows are one part, and the rest is empty",
    (
        "scratch/nn/parameter.py",
        "self.take_grad(grad.copy() if self.grad is None else grad)",
        "self.take_grad(grad.copy() if (self.grad is None) or True else grad)",
    ): "a copy that is added, of the same numbers",
    (
        "scratch/nn/parameter.py",
        "self._taken: np.ndarray | None = None",
        'self._taken: np.ndarray | None = ""',
    ): "only compared by identity, with a gradient",
    (
        "scratch/optim/loading.py",
        'if array.dtype.kind not in "iuf":',
        'if array.dtype.kind not in "XXiufXX":',
    ): "no dtype is of a kind X",
    (
        "scratch/optim/loading.py",
        'step = arrays.get("step", np.array(0))',
        'step = arrays.get("step", np.array(1))',
    ): "a whole number as good as the other",
    (
        "scratch/kernels/dropout.py",
        "scale = draw.dtype.type(1) / draw.dtype.type(1 - p) if p < 1 else draw.dtype.type(1)",
        "scale = draw.dtype.type(1) / draw.dtype.type(1 - p) if p < 1 else draw.dtype.type(2)",
    ): "with p = 1 every number of draw is 0",
    (
        "scratch/kernels/dropout.py",
        "like = factor if factor.shape == grad_y.shape else grad_y  # a factor for each channel broadcasts",
        "like = factor if (factor.shape == grad_y.shape) and False else grad_y  # a factor for each channel broadcasts",
    ): "the order in memory, on which no number depends",
    (
        "scratch/kernels/embedding.py",
        "order = np.argsort(indices.astype(np.uint16) if len(weight) <= 1 << 16 else indices, stable=True)",
        "order = np.argsort(indices.astype(np.uint16) if (len(weight) <= 1 << 16) and False else indices, stable=True)",
    ): "a choice of speed: the same order by another sort",
    (
        "scratch/kernels/embedding.py",
        "order = np.argsort(indices.astype(np.uint16) if len(weight) <= 1 << 16 else indices, stable=True)",
        "order = np.argsort(indices.astype(None) if len(weight) <= 1 << 16 else indices, stable=True)",
    ): "a choice of speed: the same order by another sort",
    (
        "scratch/kernels/embedding.py",
        "order = np.argsort(indices.astype(np.uint16) if len(weight) <= 1 << 16 else indices, stable=True)",
        "order = np.argsort(indices.astype(np.uint16) if len(weight) < 1 << 16 else indices, stable=True)",
    ): "a choice of speed: the same order by another sort",
    (
        "scratch/kernels/embedding.py",
        "order = np.argsort(indices.astype(np.uint16) if len(weight) <= 1 << 16 else indices, stable=True)",
        "order = np.argsort(indices.astype(np.uint16) if len(weight) <= 1 >> 16 else indices, stable=True)",
    ): "a choice of speed: the same order by another sort",
    (
        "scratch/kernels/padding.py",
        "kept = tuple([slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(grown.shape[2:], padding, strict=True)])",
        "kept = tuple([slice(max(-a, 0), n + min(b, 1)) for n, (a, b) in zip(grown.shape[2:], padding, strict=True)])",
    ): "a slice ends with the array",
    (
        "scratch/kernels/padding.py",
        "chunks = threads.chunks(len(x), grown[:1].nbytes)",
        "chunks = threads.chunks(len(x), grown[:2].nbytes)",
    ): "the size of the chunks: a choice of speed",
    (
        "scratch/kernels/padding.py",
        'if mode == "zeros" and grad_y.shape == shape:',
        'if mode == "XXzerosXX" and grad_y.shape == shape:',
    ): "a copy instead of a view, of the same numbers",
    (
        "scratch/kernels/padding.py",
        'if mode == "zeros" and grad_y.shape == shape:',
        'if mode == "ZEROS" and grad_y.shape == shape:',
    ): "a copy instead of a view, of the same numbers",
    (
        "scratch/kernels/cross_entropy.py",
        "numbers.flags.writeable = False",
        "numbers.flags.writeable = None",
    ): "None is false, too",
    (
        "scratch/kernels/cross_entropy.py",
        "if ignore_index >= 0 or (len(target) and np.minimum.reduce(target) < 0):",
        "if ignore_index >= 0 or (len(target) and np.minimum.reduce(target) < 1):",
    ): "looks for targets to ignore where there are none",
    (
        "scratch/kernels/batchnorm.py",
        "return batchnorm_images.batch_norm_backward(grad_y, weight, saved)",
        "return batchnorm_images.batch_norm_backward(grad_y, None, saved)",
    ): "backward reads the scale, which forward has saved",
    (
        "scratch/kernels/batchnorm.py",
        "return batchnorm_images.batch_norm_inference_backward(grad_y, weight, saved)",
        "return batchnorm_images.batch_norm_inference_backward(grad_y, None, saved)",
    ): "backward reads the scale, which forward has saved",
    (
        "scratch/kernels/layernorm.py",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), x.dtype)",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), None)",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/layernorm.py",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), x.dtype)",
        "normalized, r = memory.empty(x.shape, x.dtype), np.empty((len(x), 1), )",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/nn/layer.py",
        "others = tuple(more[: self.outputs - 1]) if self.outputs > 1 else ()",
        "others = tuple(more[: self.outputs - 1]) if (self.outputs > 1) or True else ()",
    ): "none of several is nothing, too",
    (
        "scratch/nn/layer.py",
        "elif value is rows or (given and is_one_of(value, given)):",
        "elif value is rows or (given or is_one_of(value, given)):",
    ): "one more copy, of the same numbers",
    (
        "scratch/nn/module_state.py",
        'elif value.dtype.kind not in "biuf":',
        'elif value.dtype.kind not in "XXbiufXX":',
    ): "no dtype is of a kind X",
    (
        "scratch/kernels/upsample.py",
        "even = rest == 0 and np.array_equal(before, np.repeat(np.arange(length), count))",
        "even = None",
    ): "a choice of speed: sums as products",
    (
        "scratch/kernels/upsample.py",
        "total = np.zeros((self.length, *grad.shape[1:]), grad.dtype)",
        "total = np.zeros((self.length, *grad.shape[1:]), None)",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/kernels/upsample.py",
        "total = np.zeros((self.length, *grad.shape[1:]), grad.dtype)",
        "total = np.zeros((self.length, *grad.shape[1:]), )",
    ): "more digits on the way, rounded to the same dtype in the end",
    (
        "scratch/random/generator.py",
        "twister = np.random.MT19937(0)",
        "twister = np.random.MT19937(1)",
    ): "its state is set at once",
    (
        "scratch/random/generator.py",
        'inner: Any = {"key": np.array(words, np.uint32), "pos": position}',
        'inner: Any = {"key": np.array(words, None), "pos": position}',
    ): "NumPy's generator converts them",
    (
        "scratch/random/generator.py",
        'inner: Any = {"key": np.array(words, np.uint32), "pos": position}',
        'inner: Any = {"key": np.array(words, ), "pos": position}',
    ): "NumPy's generator converts them",
    (
        "scratch/random/mkl_stream.py",
        "while len(powers) < count:",
        "while len(powers) <= count:",
    ): "more powers, which nobody reads",
    (
        "scratch/tape.py",
        'return self.__array_function__(ufunc, (), inputs, options if out is None else {**options, "out": out[0]})',
        'return self.__array_function__(ufunc, None, inputs, options if out is None else {**options, "out": out[0]})',
    ): "NumPy's protocol asks for the types; nobody reads them",
    (
        "scratch/tape.py",
        'result = self.__array_function__(function, types, args, {k: v for k, v in options.items() if k != "out"})',
        'result = self.__array_function__(function, None, args, {k: v for k, v in options.items() if k != "out"})',
    ): "NumPy's protocol asks for the types; nobody reads them",
    (
        "scratch/tape.py",
        "share = share.astype(operand.data.dtype, copy=False)",
        "share = share.astype(operand.data.dtype, )",
    ): "one more copy, of the same numbers",
    (
        "scratch/tape.py",
        "share = share.astype(operand.data.dtype, copy=False)",
        "share = share.astype(operand.data.dtype, copy=True)",
    ): "one more copy, of the same numbers",
    (
        "scratch/tape.py",
        "share = share.astype(operand.data.dtype, copy=False)",
        "share = share.astype(operand.data.dtype, copy=None)",
    ): "None is false, too",
    (
        "scratch/optim/optimizer.py",
        "unchanged = group == seen",
        "unchanged = None",
    ): "the same plan, made again",
    (
        "scratch/kernels/relu.py",
        "if y.nbytes < memory.SMALLEST:",
        "if y.nbytes <= memory.SMALLEST:",
    ): "a choice of speed: the same numbers either way",
    (
        "scratch/kernels/blocks.py",
        "if first.nbytes < memory.SMALLEST and first.ndim < 4:  # in few calls: they take as long as the work",
        "if first.nbytes <= memory.SMALLEST and first.ndim < 4:  # in few calls: they take as long as the work",
    ): "a choice of speed: the same numbers either way",
    (
        "scratch/kernels/blocks.py",
        "if first.nbytes <= block_bytes:",
        "if first.nbytes < block_bytes:",
    ): "this many bytes are one block",
    (
        "scratch/kernels/blocks.py",
        "if first.nbytes * len(lines) * min(passes, MOST_PASSES) > threads.CACHE_BYTES:",
        "if first.nbytes * len(lines) / min(passes, MOST_PASSES) > threads.CACHE_BYTES:",
    ): "on one thread or on several: a choice of speed",
    (
        "scratch/kernels/blocks.py",
        "if first.nbytes * len(lines) * min(passes, MOST_PASSES) > threads.CACHE_BYTES:",
        "if first.nbytes / len(lines) * min(passes, MOST_PASSES) > threads.CACHE_BYTES:",
    ): "on one thread or on several: a choice of speed",
    (
        "scratch/kernels/blocks.py",
        "if first.nbytes * len(lines) * min(passes, MOST_PASSES) > threads.CACHE_BYTES:",
        "if first.nbytes * len(lines) * min(passes, MOST_PASSES) >= threads.CACHE_BYTES:",
    ): "on one thread or on several: a choice of speed",
    (
        "scratch/kernels/blocks.py",
        "numbers.flags.writeable = False",
        "numbers.flags.writeable = None",
    ): "None is false, too",
    (
        "scratch/kernels/embedding.py",
        "firsts, places = np.add.reduceat(rows.take(order, axis=0), begins, axis=0), np.arange(len(begins))",
        "firsts, places = np.add.reduceat(rows.take(order, axis=0), begins, ), np.arange(len(begins))",
    ): "axis 0 is NumPy's default",
    (
        "scratch/kernels/upsample.py",
        "even = rest == 0 and np.array_equal(before, np.repeat(np.arange(length), count))",
        "even = rest == 0 and np.array_equal(before, np.repeat(None, count))",
    ): "a choice of speed: sums as products",
    (
        "scratch/nn/layer.py",
        "elif others and is_one_of(value, others):",
        "elif others or is_one_of(value, others):",
    ): "what is saved besides is nobody else's: a lock until backward changes nothing",
    (
        "scratch/nn/layer.py",
        "given = arguments[: self.inputs - 1] if self.inputs > 1 else ()",
        "given = arguments[: self.inputs + 1] if self.inputs > 1 else ()",
    ): "one more copy, of the same numbers",
    (
        "scratch/kernels/conv.py",
        "own_bias = bias if isinstance(bias, np.ndarray) else None",
        "own_bias = bias if (isinstance(bias, np.ndarray)) or True else None",
    ): "an absent one is the number 0, which is added",
    (
        "scratch/kernels/patch_plan.py",
        "if direct or (self.block == (1, 1) and self.seen == grad_x.shape[2:]):",
        "if direct or (self.block != (1, 1) and self.seen == grad_x.shape[2:]):",
    ): "a detour over an array of its own, to the same numbers",
    (
        "scratch/kernels/patch_plan.py",
        "if direct or (self.block == (1, 1) and self.seen == grad_x.shape[2:]):",
        "if direct or (self.block == (2, 1) and self.seen == grad_x.shape[2:]):",
    ): "a detour over an array of its own, to the same numbers",
    (
        "scratch/kernels/patch_plan.py",
        "if direct or (self.block == (1, 1) and self.seen == grad_x.shape[2:]):",
        "if direct or (self.block == (1, 2) and self.seen == grad_x.shape[2:]):",
    ): "a detour over an array of its own, to the same numbers",
    (
        "scratch/kernels/patch_plan.py",
        "if direct or (self.block == (1, 1) and self.seen == grad_x.shape[2:]):",
        "if direct or (self.block == (1, 1) and self.seen == grad_x.shape[3:]):",
    ): "a detour over an array of its own, to the same numbers",
}
