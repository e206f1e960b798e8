"""Task files of EMER: descriptions of emotion, judged; public and embedded."""
