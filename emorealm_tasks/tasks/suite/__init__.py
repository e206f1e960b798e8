"""Groups over all benchmarks of emotion: the public ones, and their embedded likenesses."""
