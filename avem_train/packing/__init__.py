"""Sequences that share a prefix are computed once: prefix trees, packing, block attention."""
