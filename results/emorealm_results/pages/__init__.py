"""Self-contained HTML pages: how one is put together, and their parts."""
