"""How a model is asked: requests, replies kept on disk, costs, and the form of a reply."""
