"""What a name means: a gradient, a target, a cache, a weight; as people write them."""

import re


def listed(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


FORWARD = listed(
    "forward forward_pass forward_propagation forward_prop fprop feedforward feed_forward forwardpass "
    "forward_propagate propagate get_output loss compute_loss cal_loss calc_loss cost compute activate "
    "activation function func fn f value evaluate calc calculate apply predict fwd __call__ call run"
)
BACKWARD = listed(
    "backward backward_pass backward_propagation backward_prop backprop back_prop bprop backpropagate backpropagation "
    "back_propagation backwards backwardpass backward_propagate gradient gradients grad derivative deriv diff prime "
    "df d_loss dloss loss_prime loss_derivative loss_grad gradient_loss delta bwd pullback vjp bptt"
)
BACKWARD_PARTS = ("back", "grad", "deriv", "bptt")
FLAGS = re.compile(r"^(d|deriv|derivs?|derivative|derive|grad|gradient|prime|diff|backprop|backward)$", re.I)
DERIVATIVES = ("gradient", "gradients", "grad", "derivative", "deriv", "diff", "prime", "df", "delta")

TARGETS = re.compile(
    r"^(t|ts|y_?true|targets?|labels?|classes|truth|y_?t|actual|expected|gt|actions?|onehot|one_hot|y_?onehot|ys|tgt)$",
    re.I,
)
MAYBE_TARGETS = re.compile(r"^(y|y_i|y_batch)$", re.I)
PREDICTIONS = re.compile(r"^(y_?hats?|y_?pred(s|icted)?|preds?|predictions?|predicted|probs?|logits|scores)$", re.I)
CACHES = re.compile(r"cache|saved|memo|memory|context|^ctx$|residual|tape|stored|^state$|^aux$", re.I)
CONTEXTS = re.compile(r"^(ctx|context)$")
RATES = re.compile(r"^(lr|learning_?rate|learn_?rate|eta|alpha_lr|lr_?alpha|step_?size|rate|l_?rate|current_lr)$", re.I)
EPOCHS = re.compile(r"^(n_?|num_?|nb_?|max_?)?(epochs?|iters?|iterations?)$", re.I)
FITS = re.compile(r"^_*(fit|train|learn|optimi[sz]e|gradient_descent|sgd)", re.I)
BATCH_SIZES = re.compile(r"^(mini_?)?batch_?size$|^bs$", re.I)
OUTPUTS = re.compile(
    r"^(y|out|outputs?|a|act|activations?|s|p|probs?|y_?hat|y_?pred|result|sigma|h|h_?t|h_?next|next_?h)$", re.I
)
UPSTREAM = re.compile(
    r"^(d(out|y|z|a|h|c|x|s|o|l|v|p|values?|logits|loss|next\w*|upper|top|[A-Z]\w*|_\w+|output\w*)?|g|gy|gs|gout|gz|grad\w*|"
    r"\w*_grad|\w*gradients?|upstream\w*|delta\w*|errors?|err|error_\w+|\w*_error|nabla\w*|e|cotangent|ct|dnext_\w+)$"
)
EACH_EXAMPLES = re.compile(
    r"^(returns?|rewards?|advantages?|adv|old_?log_?probs?|values?|baselines?|td_?targets?|sample_weights?)$", re.I
)
HOLDERS = re.compile(r".*grad|^(d|nabla)|^gs?$", re.I)  # of gradients, under their parameters' keys
GRADIENTS = re.compile(r"^(\w*grads?|\w*gradients|gs|d_?params?|nabla\w*)$", re.I)  # surely a holder of gradients
DATA = re.compile(r"^(xs?|x_?(train|batch|i|data)|inputs?|input_data|data)$", re.I)  # of a network
INPUTS = re.compile(r"^(x|xs|z|a|h|theta|inputs?|input_|inp|data|arr)$", re.I)
SWITCHES = re.compile(r"^(training|train|is_?train(ing)?|train_?mode|train_?flg|is_training)$", re.I)
KEEPING = re.compile(
    r"cache|save|stor|keep|retain|stash|remember|memor|record|grad|backprop|backward|train|learn", re.I
)
GENERATORS = re.compile(r"^(rng|generator|random_state)$")

CONFIGS = re.compile(r"^(config|conf|state|cfg|optim_config|opt_state|cache|memory)$")  # of an optimizer's function

PARAMS = {  # what cs231n's assignments pass to their functions
    "bn_param": {"mode": "train"},
    "ln_param": {},
    "gn_param": {},
    "dropout_param": {"mode": "train", "p": 0.5, "seed": 0},
    "conv_param": {"stride": 1, "pad": 0},
    "pool_param": {"pool_height": 2, "pool_width": 2, "stride": 2},
}

MEANINGS = {
    "weight": listed("w weight weights kernel kernels filter filters gamma scale weight_matrix wt theta wx coef coefs"),
    "bias": ["b", "bias", "biases", "beta", "shift", "offset", "biass", "intercept"],
    "weight_ih": ["w_ih", "wx", "wxh", "w_xh", "weight_ih"],
    "weight_hh": ["w_hh", "wh", "whh", "w_hh", "weight_hh"],
    "running_mean": listed("running_mean moving_mean mean_running running_mu moving_avg run_mean rm ema_mean avg_mean"),
    "running_var": listed(
        "running_var moving_var var_running running_variance moving_variance run_var rv ema_var avg_var"
    ),
}


def meaning(path: str) -> str:
    """Return PyTorch's name for ``path``'s last part where it has one: "layers.0.W" is "layers.0.weight"."""
    prefix, dot, last = path.rpartition(".")
    last = last.strip("_")
    known = next((name for name, others in MEANINGS.items() if last.lower() in others), last)
    return f"{prefix}{dot}{known}"


WEIGHTS = re.compile(r"^_*(w|b|wx|wh|bx|bh|weights?|bias(es)?|kernels?|filters?|gamma|beta|[wb]_\w+)_?\d*_*$", re.I)


def is_weight(name: str) -> bool:
    """Return whether an array is called as weights and biases are."""
    return bool(WEIGHTS.match(name))


def is_running_statistic(*names: str) -> bool:
    """Return whether an array, by one of its names, is the running mean or variance of a batch norm."""
    return any(meaning(name) in ("running_mean", "running_var") for name in names)


MARKS = re.compile(
    r"^(dl_?d|dl|dj_?d|de_?d|d_loss_d_?|grads?_of_|gradients?_of_|grads?_|gradients?_|nabla_|delta_|grad|d_|d|g_|g|nabla|delta)"
    r"(?=.)|(_gradients?|_grads?|_delta|_g|grads?|gradients?)$",
    re.I,
)


def undressed(name: str) -> set[str]:
    """Return what ``name`` may be the gradient of: "dW", "_dW", "grad_W" and "W_grad" of "W"."""
    name, found = name.lstrip("_"), set()
    for match in MARKS.finditer(name):
        rest = name[: match.start()] + name[match.end() :]
        if rest.strip("_"):
            found.add(rest.strip("_"))
    for short in ("grad_", "grads_", "gradient_", "nabla_", "delta_", "d_", "dL_d", "dLd", "d", "g"):
        if name.startswith(short) and len(name) > len(short):
            found.add(name[len(short) :].strip("_"))
    return found


def alike(one: str, other: str) -> bool:
    """Return whether two names are the same apart from case, underscores and the plural."""
    return _plain(one) == _plain(other)


def ends_alike(name: str, ending: str) -> bool:
    """Return whether a name ends with another, a word of three letters or more: t_log_var with LogVar."""
    return len(ending) > 2 and name.lower().replace("_", "").endswith(ending.lower().replace("_", ""))


def _plain(name: str) -> str:
    name = name.lower().replace("_", "")
    for ending in ("es", "s"):
        if name.endswith(ending) and len(name) > len(ending) + 3:
            return name[: -len(ending)]
    return name
