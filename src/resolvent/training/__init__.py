"""Training: a folder of clean photographs and a recipe to a model."""
