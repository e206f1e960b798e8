"""Two runs on the same questions: pairs, tests, the regression gate, power."""
