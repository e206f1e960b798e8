"""Whether two datasets share clips or questions: by name, by fingerprints of picture and sound, by words."""
