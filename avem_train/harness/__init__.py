"""The harness in this process: its tasks, and the model in training as one of its models."""
