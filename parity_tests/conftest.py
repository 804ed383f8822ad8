"""How many examples Hypothesis tries: a default run for every day, ``--hypothesis-profile=thorough`` for a sceptic.

Both print the failing case as a call and a blob that repeats it. The default draws the same examples every time, so
that a run that passed yesterday and fails today has a change to blame; the thorough one draws new ones each time.
"mutation" is for `parity_tests.mutation_testing`: few examples, and none shrunk. None has a deadline: a busy machine is
not a bug.
"""

import os
import signal

import torch
from hypothesis import HealthCheck, Phase, settings

import scratch.kernels.threads
import scratch.random
import torch_ref.random

# The tests' arrays are small: threads would cost more than they save, and those of several workers would compete for
# the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that tests start
torch.set_num_threads(1)
scratch.kernels.threads.set_num_threads(1)

# A job that a shell starts in the background ignores Ctrl-C, and so do its children; some tests send one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

scratch.random.set_conventions(torch_ref.random.conventions())

EXAMPLES = 25
# There are no doctests in them. One needs the extra "mutation"; the other does something when it is imported.
collect_ignore = ["mutation_testing", "harness/freeze.py"]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "default", max_examples=EXAMPLES, deadline=None, derandomize=True, print_blob=True, suppress_health_check=SLOW
)
settings.register_profile(
    "thorough", max_examples=20 * EXAMPLES, deadline=None, print_blob=True, suppress_health_check=SLOW
)
settings.register_profile(
    "mutation",
    max_examples=EXAMPLES // 2,
    deadline=None,
    derandomize=True,
    suppress_health_check=SLOW,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("default")
