"""What the verbs share: arguments, output, Markdown."""
