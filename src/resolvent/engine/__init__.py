"""Image in, method run over tiles within a memory budget, Image out."""
