"""Worker scripts: one official repository each, run in that repository's own environment (see README.md)."""
