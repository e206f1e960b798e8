"""A user study of captions: its page, and the tally of its answers."""
