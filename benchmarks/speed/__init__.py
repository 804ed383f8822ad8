"""How fast the engines are, always as a ratio measured in one run: timing, contenders, work, rooflines, results."""
