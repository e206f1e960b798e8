"""`openai_av`: any server that speaks OpenAI's chat API - OpenAI, vLLM, SGLang, transformers serve, llama.cpp.

The picture goes as images, frames evenly spaced over the clip (`video_as=frames`), or as the whole video in a data URI
(`video_as=video`), which several servers take and OpenAI's does not. Either way it is silent: the sound goes as
`input_audio`, a 16 kHz wav, and only where the question has one.
"""

import os
from dataclasses import dataclass
from typing import Any

import soundfile

from emorealm_tasks import media
from emorealm_tasks.chat_client import ChatClient, RequestFailed
from emorealm_tasks.errors import stop
from emorealm_tasks.harness.failures import BLOCKED
from model_adapters.base import arguments, dry_run
from model_adapters.base.chat import ChatRequest
from model_adapters.base.frame_sampling import Sampling
from model_adapters.base.media_refs import ClipFiles
from model_adapters.engines import payloads

from .cost import Answer
from .served import OncePerKey, ServedChat, ServerArguments, read_key

_VIDEO_AS = ("frames", "video")
_CACHED_CLIPS = 16  # encoded clips, for the questions about the same one
_BLOCKED = ("content_filter", "refusal")


@dataclass(frozen=True)
class Arguments(ServerArguments):
    """The `--model_args` of `openai_av`, beside those of `ServerArguments`."""

    base_url: str | None = None
    """The server, ending in /v1; default OPENAI_BASE_URL, else OpenAI's own."""
    key: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; a server of one's own may need none."""
    video_as: str = "frames"
    """`frames` (see `fps` and `frames`; at most 32 by default) or `video`, of which the server takes what it likes."""


class OpenAIAV(ServedChat):
    """A model behind OpenAI's chat API. See `Arguments` for its arguments."""

    name = "openai_av"
    sampling = Sampling(fps=2.0, most=32, least=4)

    def __init__(self, **model_args: Any) -> None:
        chosen = arguments.parse(Arguments, model_args, self.name)
        model, key = chosen.model, read_key([chosen.key])
        if not model:
            stop(f"{self.name}: name the model as its server does: model=...")
        arguments.one_of("video_as", chosen.video_as, _VIDEO_AS, self.name)
        if chosen.video_as == "video" and (chosen.fps, chosen.frames) != (None, None):
            stop(f"{self.name}: video_as=video: the server takes the frames; leave out fps and frames")
        base_url = chosen.base_url or os.environ.get("OPENAI_BASE_URL") or None
        if not key and base_url is None:
            stop(f"{self.name}: set {chosen.key}, or name a server of your own with base_url=http://HOST:PORT/v1")
        super().__init__(model, chosen)
        self.video_as = chosen.video_as
        self.client = ChatClient(model, key, base_url, timeout=self.timeout, retries=self.retries, options={})
        dry_run.ends_here(self.client.address)
        self.fingerprint = f"{model} at {self.client.address}"
        self._content = OncePerKey(self._encode, limit=_CACHED_CLIPS)

    def ways(self) -> dict[str, Any]:
        """As `ChatAV.ways`; of a whole video the server takes the frames."""
        server_choices = dict.fromkeys(("fps", "frames", "least_frames")) if self.video_as == "video" else {}
        return super().ways() | server_choices | {"video_as": self.video_as}

    def answer(self, request: ChatRequest) -> Answer:
        """One request of the chat API. See `ServedChat.answer`."""
        content, times, seconds = self._content(request.clip)
        reply = self.client.answer(self._chat(request, content), **_options(request.generation))
        if reply.finish in _BLOCKED:
            return Answer(BLOCKED.format(reply.finish), reply.tokens_in, reply.tokens_out, reply.tokens_thought)
        if not reply.text:
            raise RequestFailed(
                f"{reply.no_text_reason}; a model that thinks needs a larger max_new_tokens (--gen_kwargs)"
            )
        if self.video_as == "frames" or not request.clip.video:
            self.log_media(request.question.clip, times, seconds)
        return Answer(reply.text, reply.tokens_in, reply.tokens_out, reply.tokens_thought, reply.tokens_sound)

    def _chat(self, request: ChatRequest, content: list[dict[str, Any]]) -> list[dict[str, Any]]:
        chat = [{"role": "system", "content": self.system}] if self.system else []
        return [*chat, {"role": "user", "content": [*content, {"type": "text", "text": request.question.text}]}]

    def _encode(self, clip: ClipFiles) -> tuple[list[dict[str, Any]], list[float], float]:
        """Content items of a clip, the times of its frames and the seconds of its sound. Raises MediaError."""
        items, times, seconds = [], [], 0.0
        if clip.video and self.video_as == "video":
            items.append(_url("video_url", payloads.data_uri("video/mp4", payloads.silent(clip.video))))
        elif clip.video:
            frames, found = media.read_frames(clip.video, self.sampling.count(media.probe(clip.video).seconds))
            items += [_url("image_url", payloads.data_uri("image/jpeg", payloads.jpeg(frame))) for frame in frames]
            times = found.tolist()
        if clip.audio:
            wav = payloads.wav(clip.audio)
            seconds = soundfile.info(str(wav)).duration
            sound = {"data": payloads.base64(wav.read_bytes()), "format": "wav"}
            items.append({"type": "input_audio", "input_audio": sound})
        return items, times, seconds


def _url(kind: str, uri: str) -> dict[str, Any]:
    return {"type": kind, kind: {"url": uri}}


def _options(generation: dict[str, Any]) -> dict[str, Any]:
    """How to generate, as the chat API has it."""
    sampling = {"top_p": generation["top_p"]} if generation["do_sample"] else {}
    return {"max_tokens": generation["max_new_tokens"], "temperature": generation["temperature"] or 0, **sampling}
