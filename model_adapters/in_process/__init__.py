"""Models that transformers itself can run, as chat models of lmms-eval: one base class, three families."""
