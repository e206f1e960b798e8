"""Preference training: settings, trainer, log-probabilities, reference cache, run folder."""
