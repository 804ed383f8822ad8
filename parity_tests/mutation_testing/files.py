"""Which tests a file is held against, besides its own doctests."""

LAWS = "parity_tests/tests/harness/test_laws.py"
POOLING = ["parity_tests/tests/layers/test_pooling.py"]
PADDING = "parity_tests/tests/layers/test_padding.py"
CONV = [
    "parity_tests/tests/layers/test_patches.py",
    "parity_tests/tests/layers/test_conv.py",
    "parity_tests/tests/layers/test_winograd.py",
]
CLASSES = [
    "parity_tests/tests/losses/test_cross_entropy.py",
    "parity_tests/tests/losses/test_cross_entropy_refusals.py",
]
OPTIM = [
    f"{LAWS}::test_optimizers",
    "parity_tests/tests/optimizers/test_optim.py",
    "parity_tests/tests/optimizers/test_optim_state.py",
]
MODULE = "parity_tests/tests/engine/test_module.py"
INPUT_GRAD = "parity_tests/tests/layers/test_input_grad.py"
NORMAL = ["parity_tests/tests/layers/test_special.py", "parity_tests/tests/layers/test_activation.py"]

TESTS = {
    "scratch/nn/avg_pooling.py": POOLING,
    "scratch/nn/batchnorm.py": ["parity_tests/tests/layers/test_batchnorm.py"],
    "scratch/nn/binary_cross_entropy.py": ["parity_tests/tests/losses/test_loss.py"],
    "scratch/kernels/channel_sums.py": ["parity_tests/tests/layers/test_batchnorm.py"],
    "scratch/nn/container.py": ["parity_tests/tests/layers/test_linear.py", MODULE, INPUT_GRAD],
    "scratch/nn/conv.py": [*CONV, INPUT_GRAD],
    "scratch/nn/cross_entropy.py": CLASSES,
    "scratch/nn/dropout.py": ["parity_tests/tests/layers/test_dropout.py", MODULE],
    "scratch/nn/flatten.py": ["parity_tests/tests/layers/test_linear.py", MODULE],
    "scratch/nn/gelu.py": ["parity_tests/tests/layers/test_activation.py"],
    "scratch/nn/image_layer.py": [*POOLING, "parity_tests/tests/layers/test_conv.py"],
    "scratch/nn/init.py": ["parity_tests/tests/engine/test_init.py"],
    "scratch/nn/linear.py": [
        "parity_tests/tests/layers/test_linear.py",
        "parity_tests/tests/engine/test_init.py",
        MODULE,
        INPUT_GRAD,
    ],
    "scratch/nn/loss.py": ["parity_tests/tests/losses/test_loss.py"],
    "scratch/nn/max_pooling.py": POOLING,
    "scratch/nn/module.py": [MODULE, INPUT_GRAD],
    "scratch/nn/nll.py": CLASSES,
    "scratch/nn/normalization.py": ["parity_tests/tests/layers/test_normalization.py"],
    "scratch/nn/padding.py": [PADDING, "parity_tests/tests/layers/test_conv.py"],
    "scratch/nn/pooling.py": POOLING,
    "scratch/kernels/avg_pooling.py": POOLING,
    "scratch/kernels/conv.py": [*CONV, INPUT_GRAD],
    "scratch/kernels/cross_entropy.py": CLASSES,
    "scratch/kernels/max_pooling.py": POOLING,
    "scratch/kernels/padded_images.py": [PADDING, *CONV],
    "scratch/kernels/patch_plan.py": CONV,
    "scratch/kernels/patches.py": CONV,
    "scratch/kernels/pool_windows.py": POOLING,
    "scratch/nn/reduction.py": ["parity_tests/tests/losses/test_loss.py", *CLASSES],
    "scratch/nn/relu.py": ["parity_tests/tests/layers/test_activation.py"],
    "scratch/kernels/keep_where.py": [
        "parity_tests/tests/layers/test_special.py",
        "parity_tests/tests/layers/test_activation.py",
    ],
    "scratch/nn/sigmoid.py": ["parity_tests/tests/layers/test_activation.py"],
    "scratch/nn/softmax.py": ["parity_tests/tests/layers/test_softmax.py"],
    "scratch/nn/normal_distribution.py": NORMAL,
    "scratch/kernels/normal_distribution.py": NORMAL,
    "scratch/kernels/gelu.py": ["parity_tests/tests/layers/test_activation.py"],
    "scratch/kernels/relu.py": ["parity_tests/tests/layers/test_activation.py"],
    "scratch/kernels/softmax.py": ["parity_tests/tests/layers/test_softmax.py"],
    "scratch/normal_tail.py": NORMAL,
    "scratch/nn/utils.py": ["parity_tests/tests/optimizers/test_utils.py"],
    "scratch/optim/adam.py": OPTIM,
    "scratch/optim/adamw.py": OPTIM,
    "scratch/kernels/flat_parameters.py": OPTIM,
    "scratch/kernels/optimizer.py": OPTIM,
    "scratch/optim/loading.py": OPTIM,
    "scratch/optim/optimizer.py": OPTIM,
    "scratch/optim/options.py": OPTIM,
    "scratch/optim/sgd.py": OPTIM,
    "scratch/optim/state.py": OPTIM,
    "scratch/kernels/winograd.py": ["parity_tests/tests/layers/test_winograd.py"],
    "scratch/policy_gradient.py": ["parity_tests/tests/losses/test_actor_critic.py"],
}
