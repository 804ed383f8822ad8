"""Why a row of the benchmarks takes as long as it does: what it moves and multiplies, and what each line costs."""
