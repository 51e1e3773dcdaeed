"""Pairs without a pattern, learned by heart: ``python -m experiments.memorization --images FLOWERS``.

Zhang et al., Understanding deep learning requires rethinking generalization, ICLR 2017, on the founding paper's U-Net.
What came out stands in README.md.
"""
