"""EmoReAlM-Mini: a small world whose truth is known, rendered as clips, with questions in the paper's forms."""
