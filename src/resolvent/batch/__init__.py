"""Restore many photographs: jobs, progress, report."""
