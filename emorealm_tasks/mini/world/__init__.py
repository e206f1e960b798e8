"""What is true in the synthetic world: its cues, and which a clip has."""
