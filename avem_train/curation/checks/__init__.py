"""What texts are checked for: likeness of cues, and words that give an emotion away."""
