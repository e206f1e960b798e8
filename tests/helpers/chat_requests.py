"""Requests to a chat model, as lmms-eval makes them."""

from lmms_eval.api.instance import Instance


def requests_for(model, docs, **settings):
    """A request for each doc: (text, video, audio)."""
    model.task_dict["t"] = {"test": docs}

    def to_messages(doc):
        items = [{"type": kind, "url": path} for kind, path in zip(("video", "audio"), doc[1:], strict=True) if path]
        return [{"role": "user", "content": [*items, {"type": "text", "text": doc[0]}]}]

    settings = {"max_new_tokens": 4, "temperature": 0, "until": []} | settings
    return [
        Instance(
            request_type="generate_until",
            arguments=(doc[0], to_messages, dict(settings), number, "t", "test"),
            idx=0,
            metadata={"task": "t", "doc_id": number, "repeats": 1},
        )
        for number, doc in enumerate(docs)
    ]


def ask(model, docs, **settings):
    """The texts that a model answers with."""
    return [answer.text for answer in model.generate_until(requests_for(model, docs, **settings))]
