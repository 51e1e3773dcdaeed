"""What ``benchmarks/drawings.py`` draws with, and its kinds of pictures."""
