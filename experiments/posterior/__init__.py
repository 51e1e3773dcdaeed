"""Samples of the posterior by a denoiser: ``python -m experiments.posterior --images FOLDER``.

What came out, and why it is not offered to users, stands in README.md.
"""
