"""Builds a split of the synthetic benchmark on disk, in the layouts of the published ones."""
