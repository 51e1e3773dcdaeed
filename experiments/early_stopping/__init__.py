"""Where to stop deep image prior: ``python -m experiments.early_stopping --images FOLDER``.

The rules, what they cost against the best possible step, and what came out stand in README.md.
"""
