"""YAML only: one folder a benchmark; `emorealm_tasks.plugin` shows them to lmms-eval."""
