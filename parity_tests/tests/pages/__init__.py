"""The site of ``backprop pages``: its mathematics, its files, and how it behaves in a browser."""
