"""Models: one module a model family."""
