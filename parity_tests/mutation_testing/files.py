"""Which tests are run on a file's mutants, besides its own doctests.

They are found by name (``test_linear.py`` for ``scratch/nn/linear.py`` and ``scratch/kernels/linear.py``), by import
(a test that imports from the file), and in `TOPICS`, for tests of several files.
"""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "scratch/nn",
    "scratch/kernels",
    "scratch/optim",
    "scratch/optim/lr_scheduler",
    "scratch/distributions",
    "scratch/random",
)
OTHERS = ("scratch/fusion.py", "scratch/policy_gradient.py", "scratch/normal_tail.py", "scratch/tape.py")
NOT_MUTATED = {
    "scratch/kernels/blas.py": "numbers depend on it only in their last bits",
    "scratch/kernels/memory.py": "no number depends on where it is kept",
    "scratch/kernels/output_mask.py": "one variable",
    "scratch/kernels/threads.py": "a mutant may wait forever",
}

WINOGRAD = "winograd winograd_chunk winograd_form winograd_tiles"
SCHEDULERS = "cosine cycled_momentum cyclic decay factors one_cycle plateau sequential"
OPTIMIZERS = "adadelta adagrad adam adamw flat_parameters loading nadam optimizer options radam rmsprop sgd state"
TOPICS = {
    "engine/test_between.py": "between container",
    "engine/test_defaults.py": f"{SCHEDULERS} {OPTIMIZERS}",
    "engine/test_distributions.py": "bernoulli probabilities",
    "engine/test_fusion.py": f"conv_relu_pool container fusion {WINOGRAD}",
    "engine/test_init.py": "linear",
    "engine/test_module_list.py": "module_dict module_list",
    "engine/test_sequential.py": "container",
    "engine/test_saving.py": "layer module ownership record recorded reused",
    "engine/test_order_of_passes.py": "container fusion layer module parameter record recorded reused saving",
    "engine/test_module.py": "between container dropout flatten layer linear module_state module_tree parameter",
    "engine/test_parameter.py": "module_state module_tree state utils",
    "engine/test_registry.py": "module_dict module_state module_tree",
    "engine/test_reused.py": "module_tree registry",
    "engine/test_ownership.py": "container dropout flatten layer linear ownership recurrent",
    "engine/test_probabilities.py": "bernoulli categorical method mixture normal probabilities",
    "engine/test_random.py": "draws generator mkl_stream torch_rounding",
    "engine/test_random_refusals.py": "draws generator",
    "engine/test_writes_between.py": "between layer optimizer parameter record recorded recurrent",
    "harness/test_kernels.py::test_a_kernel_has_its_twins_signature": "padding",
    "harness/test_laws.py::test_optimizers": OPTIMIZERS,
    "layers/test_activation.py": "expm1 gelu keep_where log1p normal_distribution normal_tail quotient relu sigmoid",
    "layers/test_attention_kernels.py": "attention multihead_attention",
    "layers/test_batchnorm.py": "batchnorm_images channel_norm",
    "layers/test_blocks.py": (
        "batchnorm_images gelu groupnorm hardtanh instancenorm layernorm log_sigmoid mish normal_distribution relu "
        "rmsnorm rows selu sigmoid softmax"
    ),
    "layers/test_conv.py": "convolution image_layer padded_images padding patch_plan patches",
    "layers/test_conv_transpose.py": "convolution image_layer patch_plan",
    "layers/test_input_grad.py": "container conv layer linear module",
    "layers/test_instancenorm.py": "channel_norm",
    "layers/test_kept_patches.py": f"conv conv_relu_pool patch_plan {WINOGRAD}",
    "layers/test_linear.py": "container flatten layer",
    "layers/test_more_activations.py": (
        "expm1 hardswish hardtanh log1p log_sigmoid mish prelu selu softmax softmin softsign"
    ),
    "layers/test_normalization.py": "groupnorm layernorm normalized_rows row_norm rows",
    "layers/test_output_mask.py": (
        "conv conv_transpose groupnorm gru layer layernorm linear lstm recurrent rnn sequence_products"
    ),
    "layers/test_padding.py": "image_layer padded_images",
    "layers/test_patches.py": "conv padded_images patch_plan",
    "layers/test_pooling.py": "adaptive_pooling avg_pooling image_layer max_pooling pool_lines pool_windows pooling",
    "layers/test_rmsnorm.py": "row_norm",
    "layers/test_multihead_attention.py": "attention attention_layer",
    "layers/test_recurrent.py": "gru lstm rnn sequence_layer sequence_products",
    "layers/test_recurrent_cell.py": "gru_cell layer lstm_cell rnn_cell",
    "layers/test_special.py": "keep_where normal_distribution normal_tail",
    "layers/test_transformer.py": "transformer transformer_decoder transformer_encoder transformer_layer",
    "layers/test_unflatten.py": "flatten",
    "layers/test_winograd.py": f"conv conv_transpose padded_images patch_plan patches {WINOGRAD}",
    "losses/test_actor_critic.py": "policy_gradient",
    "losses/test_cross_entropy.py": "nll reduction",
    "losses/test_cross_entropy_refusals.py": "cross_entropy nll reduction",
    "losses/test_likelihoods_and_margins.py": (
        "cosine_embedding gaussian_nll kl_div margin multi_margin poisson_nll reduction triplet_margin"
    ),
    "losses/test_loss.py": "binary_cross_entropy loss reduction",
    "optimizers/test_adam_in_place.py": "adam adamw flat_parameters optimizer",
    "optimizers/test_lr_scheduler.py": f"scheduler {SCHEDULERS}",
    "optimizers/test_optim.py": OPTIMIZERS,
    "optimizers/test_optim_state.py": OPTIMIZERS,
}
"""From tests, below ``parity_tests/tests``, to the names of the files that they test."""


OF_SPEED = ("engine/test_random.py::test_drawing_is_fast_enough_to_be_forgotten",)
"""Tests that are left out, as the tracer slows them down."""

OF_ALL_LAYERS = (
    "engine/test_defaults.py",
    "engine/test_init.py::test_every_layer_of_the_catalogue_begins_as_torchs",
    "layers/test_dtypes.py",
    "layers/test_options_refused.py",
    "layers/test_parameter_gradients.py",
)
"""Tests that are run for every file of `scratch.nn`."""


def files() -> list[str]:
    """Return the files that are mutated."""
    found = [str(path.relative_to(ROOT)) for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))]
    return [path for path in (*found, *OTHERS) if not path.endswith("__init__.py") and path not in NOT_MUTATED]


def suite_of(path: str) -> list[str]:
    """Return the tests of a file."""
    stem = Path(path).stem
    found = {test for test, stems in TOPICS.items() if stem in stems.split()}
    module = path.removesuffix(".py").replace("/", ".")
    for test, imported in _imports().items():
        if Path(test).name == f"test_{stem}.py" or module in imported:
            found.add(test)
    if found and path.startswith("scratch/nn/"):
        found.update(OF_ALL_LAYERS)
    return [f"parity_tests/tests/{test}" for test in sorted(found)]


@cache
def _imports() -> dict[str, set[str]]:
    # From each test to the modules that it imports, or imports something from.
    tests = ROOT / "parity_tests" / "tests"
    found: dict[str, set[str]] = {}
    for folder in ("engine", "layers", "losses", "optimizers"):
        for path in sorted((tests / folder).glob("test_*.py")):
            names = found.setdefault(str(path.relative_to(tests)), set())
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


TESTS = {path: suite_of(path) for path in files()}
