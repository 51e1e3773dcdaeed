"""Builds the documentation: assembles its pages from the repository, runs its gallery, renders it with Zensical."""
