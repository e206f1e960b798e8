"""The paper's tables as data, one YAML file a table, and the models in them."""
