"""Why a row of the benchmarks takes as long as it does: what moves, what is multiplied, and which line costs what."""
