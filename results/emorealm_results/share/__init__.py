"""Runs and models where others can use them: tidy tables, files of them, and the hub."""
