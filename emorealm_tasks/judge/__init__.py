"""The language model that judges descriptions (EMER): prompt, client, cache, live and batch."""
