"""Measure restorations: metrics, benchmarks, and their tables, figures and pages."""
