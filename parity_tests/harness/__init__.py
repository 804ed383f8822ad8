"""What compares: numbers to compare on, the comparison, its rounding budget, and its report."""
