"""The paper's comparisons in miniature: `avem-train study`."""
