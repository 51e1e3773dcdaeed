"""Published experiments, repeated: one folder each, which says what was claimed, how to run it, and what came out."""
