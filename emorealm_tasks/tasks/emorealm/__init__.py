"""EmoReAlM as lmms-eval tasks: YAML only; the code is in the package above."""
