"""Makes a better answerer: supervised training of the embedded model, and preference optimisation."""
