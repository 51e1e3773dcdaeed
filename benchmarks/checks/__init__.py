"""What benchmarks/methods.py runs."""
