"""A run's scores and tables, computed from its saved samples."""
