"""The models that can be trained: one module a family."""
