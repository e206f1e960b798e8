"""The verbs of `emorealm`: one module a verb, its arguments and what it prints."""
