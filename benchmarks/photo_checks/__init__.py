"""The checks that ``benchmarks/photographs.py`` runs."""
