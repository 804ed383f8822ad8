"""Mutation testing: change the engine in small ways, one at a time, and ask whether its tests notice.

    python -m parity_tests.mutation_testing                                    # every file; two jobs take about an hour
    python -m parity_tests.mutation_testing scratch/nn/dropout.py --jobs 1     # one file
    python -m parity_tests.mutation_testing --list scratch/nn/dropout.py       # its mutants, without running them

The mutants are those of mutmut (the extra ``mutation``): another operator, a number more, an argument None or left out,
a negated condition, an assignment of None. mutmut's own runner leaves out every decorated function, which here
would be half of the forwards and backwards; so this one puts the mutants in front of pytest. It imports everything
once, and forks a process for each mutant, in which the functions get the changed code. What survives is tried once more
with the engine and the tests imported afresh, as some tests make their layers when they are imported. Each file is held
against its own part of the suite (`TESTS`), with few examples (the Hypothesis profile "mutation"): a mutant that only
the whole suite would catch counts as a survivor.

Not mutated, besides docstrings and type hints, since no numbers depend on them:

- what an exception or a warning says (``raise`` and ``warnings.warn``; the conditions before them are mutated), and the
  layer's name and argument's name, handed to the functions of `scratch.checks` and to ``pair`` to say it;
- where a result is kept: ``out=`` arguments and calls of `scratch.kernels.memory`, which has tests of its own.

Survivors that are no mistakes are in `parity_tests.mutation_testing.equivalents`, each with the reason why no test
could tell.
"""
