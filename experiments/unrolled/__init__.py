"""Unrolled networks, learned iterations: ``python -m experiments.unrolled --images FOLDER``."""
