"""What makes a benchmark fair to guess at: even answers, positions, lengths and labels; pure functions."""
