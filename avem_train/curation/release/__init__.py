"""What a recipe made, given to others: the benchmark's file, its numbers, plots and data card."""
