"""The founding paper's experiment, repeated: ``python -m experiments.seed --images FLOWERS``.

"Inverse Imaging: Reconstructing high-resolution images from degraded images", EasyChair preprint, 2022. What it claims,
what we did and what came out stand in README.md.
"""
