"""Requests as lmms-eval makes them, for tests of the adapter."""

import copy

from lmms_eval.api.instance import Instance

from emorealm_tasks import media

TASK = "emorealm_mini_some_task"


def to_messages(doc):
    video, audio = {"type": "video", "url": doc["video"]}, {"type": "audio", "url": doc["video"]}
    items = {"both": [video, audio], "video": [video], "audio": [audio], "blind": []}[doc["kind"]]
    return [{"role": "user", "content": [*items, {"type": "text", "text": doc["text"]}]}]


def chat_requests(model, docs, task=TASK, **settings):
    model.task_dict[task] = {"test": docs}
    settings = {"max_new_tokens": 5, "temperature": 0, "until": []} | settings
    return [
        Instance(
            request_type="generate_until",
            arguments=(doc["text"], to_messages, copy.deepcopy(settings), number, task, "test"),
            idx=0,
            metadata={"task": task, "doc_id": number, "repeats": 1},
        )
        for number, doc in enumerate(docs)
    ]


def option_requests(model, docs, options):
    model.task_dict[TASK] = {"test": docs}
    return [
        Instance(
            request_type="loglikelihood",
            arguments=(doc["text"], option, lambda doc: [doc["video"]], number, TASK, "test"),
            idx=index,
            metadata={"task": TASK, "doc_id": number, "repeats": 1},
        )
        for number, doc in enumerate(docs)
        for index, option in enumerate(options)
    ]


def texts(results):
    return [result.text for result in results]


def inputs_of(model, doc, continuation=""):
    """The prompt of one doc on its own, media from disk: transformers' plain way."""
    has_video, has_audio = doc["kind"] in ("both", "video"), doc["kind"] in ("both", "audio")
    frames = [media.read_frames(doc["video"], 4)[0]] if has_video else None
    waves = [media.read_audio(doc["video"])] if has_audio else None
    prompt = model.processor.prompt(doc["text"], video=has_video, audio=has_audio) + continuation
    return model.processor([prompt], videos=frames, audio=waves)
