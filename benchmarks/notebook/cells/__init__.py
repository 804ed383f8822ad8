"""The runnable cells of the notebook: a script a lesson, cut at the lines that begin with ``# %%``."""
