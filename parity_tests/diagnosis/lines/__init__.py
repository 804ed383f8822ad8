"""Which line of backward is wrong: each array that it computes is compared with the true gradients in forward.

The learner's own forward runs on the tape (`scratch.tape`), which knows the gradient of every value and what each of
its uses contributes (`forward`). Backward runs line by line, twice, with two upstream gradients (`backward`): what
changes with the upstream gradient is meant as a gradient (`recognize`). The first such line that computes neither a
gradient nor a part of one is where it goes wrong (`first_wrong`).
"""
