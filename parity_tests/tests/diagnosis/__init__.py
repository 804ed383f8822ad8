"""Tests of the diagnosis and of `backprop check`."""
