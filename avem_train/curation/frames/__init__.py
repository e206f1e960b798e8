"""How many frames a caption of the picture needs (B.4, Table 8)."""
