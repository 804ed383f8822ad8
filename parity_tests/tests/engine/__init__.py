"""Tests of what the layers stand on: modules, memory, threads, random numbers, initial values, whole networks."""
