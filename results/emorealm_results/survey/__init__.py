"""Studies in which people answer: which caption is best, and whether questions hold; pages, and the tallies."""
