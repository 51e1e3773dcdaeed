"""Models: one file each, with its card; where they are and how to run them."""
