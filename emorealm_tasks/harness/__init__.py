"""What lmms-eval calls: prompts, the scoring of each kind of task, its response cache."""
