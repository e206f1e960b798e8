"""Who answers: one module a model family."""
