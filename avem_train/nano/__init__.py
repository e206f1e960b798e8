"""How the embedded model, avere-nano, is made."""
