"""Tests of the `backprop` command, the tasks and the course."""
