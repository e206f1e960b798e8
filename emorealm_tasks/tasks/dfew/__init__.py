"""DFEW as lmms-eval tasks: one word as released, with the classes listed, and described in detail."""
