"""Supervised training: projectors, then instructions, on conversations about clips."""
