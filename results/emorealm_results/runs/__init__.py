"""A saved run, read and checked: samples, recognition, descriptions, other evaluations' files."""
