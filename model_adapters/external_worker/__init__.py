"""`--model external_worker`: a model that answers from a process of its own, in an environment of its own."""
