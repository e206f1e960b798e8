"""What is said about the synthetic world: questions, instructions, preferences, statements."""
