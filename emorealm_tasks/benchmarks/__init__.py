"""Published files -> the rows that lmms-eval asks: one module a benchmark."""
