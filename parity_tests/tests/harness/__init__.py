"""Tests of the harness, the catalogue, the laws, the museum and the structure."""
