"""Preferences and instruction data in the layouts that trainers read."""
