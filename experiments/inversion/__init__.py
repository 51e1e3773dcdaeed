"""Pictures from features: ``python -m experiments.inversion --images FOLDER --held FOLDER``.

Dosovitskiy and Brox, "Inverting visual representations with convolutional networks", CVPR 2016, arXiv:1506.02753. What
was claimed, what we did and what came out stand in README.md.
"""
