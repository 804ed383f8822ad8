"""Layers as learners write them, right, in many forms; their wrong twins are in ``twins``.

Each file is a form: a way to keep parameters, to return gradients, to be called. They are run by ``python -m
parity_tests.diagnosis``, never imported by anything else.
"""
