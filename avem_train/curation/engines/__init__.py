"""What drives a stage over its rows: threads on this machine, or Ray."""

ENGINES = ("local", "ray")
