"""A model run over a photograph, tile by tile."""
