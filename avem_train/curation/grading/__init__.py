"""Curation held against the embedded world's truth: pure functions of rows, replies and true cues."""
