"""The paper's printed tables: their cells, layouts and an audit of their arithmetic."""
