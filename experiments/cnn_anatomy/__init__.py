"""What the founding paper's layers do to a flower: ``python -m experiments.cnn_anatomy --images FLOWERS``.

After O'Shea and Nash, "An introduction to convolutional neural networks", 2015, arXiv:1511.08458. What is said, how it
was measured and what came out stand in README.md.
"""
