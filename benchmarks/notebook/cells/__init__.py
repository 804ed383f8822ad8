"""The runnable cells of the notebook: one script per lesson, cut at the lines that begin with ``# %%``."""
