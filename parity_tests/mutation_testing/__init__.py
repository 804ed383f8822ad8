"""Mutation testing: change the engine in small ways, one at a time, and ask whether its tests notice.

    python -m parity_tests.mutation_testing                                    # every file: hours
    python -m parity_tests.mutation_testing scratch/nn/dropout.py --jobs 1     # one file
    python -m parity_tests.mutation_testing --sample 12 --seed 1               # twelve mutants of each file, at random
    python -m parity_tests.mutation_testing --list scratch/nn/dropout.py       # its mutants, without running them

The mutants are those of mutmut (the extra ``mutation``): another operator, a number one larger, an argument None or
left out, a negated condition, an assignment of None. mutmut's own runner skips decorated functions, some of the
forwards and backwards among them, so this package has its own runner for pytest. It imports everything once, and forks
a process for each mutant, in which the functions get the changed code. Each file is tested by its own part of the suite
(`TESTS`), with few examples (the Hypothesis profile "mutation"): a mutant that only the whole suite would catch counts
as a survivor.

``--sample N`` draws N mutants of each file, all if it has no more. The draw depends on the file and ``--seed`` alone,
and a larger N adds to the same draw. The last line has the rate of all drawn mutants with Wilson's 95% interval. Where
twelve of twelve are killed, one mutant in five of that file may still survive: the sample judges the suite, not a file.

Not mutated, besides docstrings and type hints, since no numbers depend on them:

- what an exception or a warning says (``raise`` and ``warnings.warn``; the conditions before them are mutated), and the
  names of layers and arguments that the functions of `scratch.checks` and ``pair`` get for such messages;
- where a result is stored: ``out=`` arguments and calls of `scratch.kernels.memory`, which has tests of its own.

Mutants that are not mistakes are in `parity_tests.mutation_testing.equivalents`, each with the reason why no test could
detect it. They are neither drawn nor run.
"""
