"""A scripted language model for the embedded world: it knows the world's language, and errs at rates that are set."""
