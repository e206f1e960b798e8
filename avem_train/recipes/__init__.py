"""Recipes: YAML files that fill a program's settings; a baseline or an ablation names only what differs."""
