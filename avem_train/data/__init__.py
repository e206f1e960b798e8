"""Preference data: records, checks, rejected media, responses."""
