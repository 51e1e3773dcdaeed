"""The mathematics of a degradation: linear operators and resizing."""
