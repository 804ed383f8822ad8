"""Tests of training runs: checkpoints, kills, resumes, several processes, devices."""
