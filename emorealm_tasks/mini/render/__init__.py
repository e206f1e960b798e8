"""A clip of the synthetic world as picture, sound and mp4."""
