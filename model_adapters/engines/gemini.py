"""`gemini_av`: Gemini 2.5 with the mp4 itself, picture and sound, through Google's own client (extra `gemini`).

It does not build on lmms-eval's own class, whose loop has these faults: a failed upload ends the run and loses all
answers; a wrong key is tried five times for each question; the server's Retry-After is ignored; a file's sound track is
sent with questions about the picture alone; thinking uses up the few tokens of the answer, and what is left ("" or a
safety tag, though nothing was unsafe) counts as an answer.

A clip is uploaded once: the file itself where the question's sound is its own track, else a copy without sound. A sound
from another file is sent beside it as a wav. A failed upload fails the questions about its clip only.
"""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import soundfile
import tenacity
from loguru import logger

from emorealm_tasks import media, settings
from emorealm_tasks.chat_client import RequestFailed, ServerRefuses
from emorealm_tasks.errors import stop
from emorealm_tasks.harness.failures import BLOCKED
from model_adapters.base import arguments, dry_run
from model_adapters.base.chat import ChatRequest
from model_adapters.base.media_refs import ClipFiles
from model_adapters.engines import payloads

from .cost import Answer
from .served import OncePerKey, ServedChat, ServerArguments, read_key

if TYPE_CHECKING:
    from google.genai import types
    from lmms_eval.api.instance import GenerationResult, Instance

_KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_PASSING = (408, 429, 500, 502, 503, 504)
_REFUSALS = (401, 403, 404)
_POLL = 2.0  # seconds between looks at a file that is being processed
_BACKOFF, _LONGEST_BACKOFF, _LONGEST_WAIT = 1.0, 60.0, 120.0  # seconds
_HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


@dataclass(frozen=True)
class Arguments(ServerArguments):
    """The `--model_args` of `gemini_av`, beside those of `ServerArguments`; fps and frames are the server's choice."""

    model: str = "gemini-2.5-flash"
    """Its name on the server."""
    key: str | None = None
    """The environment variable that holds the key; default GOOGLE_API_KEY, else GEMINI_API_KEY."""
    thinking: int = 1024
    """Tokens that it may think for, on top of those of the answer.

    0: none, which 2.5 Pro does not offer; -1: as many as it likes.
    """
    upload_timeout: float = 300.0
    """Seconds that the processing of a clip may take."""
    base_url: str | None = None
    """Another address of the API; default GOOGLE_GEMINI_BASE_URL, else Google's own."""


class GeminiAV(ServedChat):
    """Gemini, through Google's own client. See `Arguments` for its arguments."""

    name = "gemini_av"

    def __init__(self, **model_args: Any) -> None:
        chosen = arguments.parse(Arguments, model_args, self.name, refused=("fps", "frames"))
        try:
            from google import genai
            from google.genai import types
        except ImportError:
            stop(f"{self.name}: Google's client is not installed: pip install 'emorealm[gemini]'")
        self._key = read_key([chosen.key] if chosen.key else _KEYS)
        if not self._key:
            stop(f"{self.name}: set {chosen.key or ' or '.join(_KEYS)} to a key of the Gemini API")
        super().__init__(chosen.model, chosen)
        self.model = chosen.model
        self.thinking = int(arguments.number("thinking", chosen.thinking, -1, 1e6, self.name))
        self.upload_timeout = arguments.number("upload_timeout", chosen.upload_timeout, 0.1, 1e6, self.name)
        dry_run.ends_here()
        options = types.HttpOptions(base_url=chosen.base_url, timeout=round(1000 * self.timeout))
        self.client = genai.Client(api_key=self._key, vertexai=False, http_options=options)
        self._works = False
        self._uploaded = OncePerKey(self._upload)

    def generate_until(self, requests: "list[Instance]") -> "list[GenerationResult]":
        """An answer to each request; uploaded clips are deleted at the end, whatever happens."""
        try:
            return super().generate_until(requests)
        finally:
            self._delete_uploads()

    def ways(self) -> dict[str, Any]:
        """As `ChatAV.ways`; Google's server takes the frames of the mp4."""
        return super().ways() | dict.fromkeys(("fps", "frames", "least_frames")) | {"thinking": self.thinking}

    def answer(self, request: ChatRequest) -> Answer:
        """One call of generateContent. See `ServedChat.answer`."""
        contents: list[types.PartUnionDict] = [*self._media(request.clip), request.question.text]
        call = self.client.models.generate_content
        response = self._send(
            lambda: call(model=self.model, contents=contents, config=self._config(request.generation))
        )
        answer = _answer(response)
        if request.clip.audio and not request.clip.video:
            self.log_media(request.question.clip, [], soundfile.info(str(payloads.wav(request.clip.audio))).duration)
        return answer

    def _media(self, clip: ClipFiles) -> "list[types.Part]":
        """The clip's parts of a request. Raises RequestFailed, MediaError."""
        from google.genai import types

        embedded = own_sound(clip)
        parts = []
        if clip.video:
            file = self._uploaded((clip.video, embedded))
            parts.append(types.Part.from_uri(file_uri=file.uri, mime_type=file.mime_type))
        if clip.audio and not embedded:
            parts.append(types.Part.from_bytes(data=payloads.wav(clip.audio).read_bytes(), mime_type="audio/wav"))
        return parts

    def _config(self, generation: dict[str, Any]) -> "types.GenerateContentConfig":
        from google.genai import types

        room = generation["max_new_tokens"] + self.thinking if self.thinking >= 0 else None
        off = types.HarmBlockThreshold.BLOCK_NONE
        return types.GenerateContentConfig(
            system_instruction=self.system,
            max_output_tokens=room,
            temperature=generation["temperature"] or 0.0,
            top_p=generation["top_p"],
            thinking_config=types.ThinkingConfig(thinking_budget=self.thinking),
            safety_settings=[
                types.SafetySetting(category=types.HarmCategory(f"HARM_CATEGORY_{harm}"), threshold=off)
                for harm in _HARMS
            ],
        )

    def _upload(self, clip: tuple[str, bool]) -> "types.File":
        """A clip's file on the server, ready for use; its sound only where the second is true."""
        path, sounding = clip
        data = payloads.silent(path) if not sounding and media.probe(path).has_audio else None
        files = self.client.files

        def upload() -> "types.File":
            return files.upload(file=path if data is None else io.BytesIO(data), config={"mime_type": "video/mp4"})

        return self._processed(self._send(upload, f"{path}: "), path)

    def _processed(self, file: "types.File", path: str) -> "types.File":
        """An uploaded file once the server has processed it. Raises RequestFailed where it fails, or is late."""
        look: Callable[..., types.File] = self.client.files.get
        latest = time.monotonic() + self.upload_timeout
        while file.state and file.state.name == "PROCESSING":
            if time.monotonic() > latest:
                raise RequestFailed(f"{path}: uploaded, and not processed within upload_timeout={self.upload_timeout}")
            time.sleep(_POLL)
            file = self._send(partial(look, name=file.name), f"{path}: ")
        if file.state and file.state.name == "FAILED":
            why = file.error.message if file.error else "no reason given"
            raise RequestFailed(f"{path}: the server cannot process it ({why})")
        return file

    def _send(self, call: Callable[[], Any], about: str = "") -> Any:
        """What the call returns, sent again after faults that pass. Raises RequestFailed, ServerRefuses."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.retries + 1),
            retry=tenacity.retry_if_exception(_passes),
            wait=_wait,
            reraise=True,
        )
        try:
            result = retrying(call)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".replace(self._key, "***")[:300]
            if not self._works and _refuses(error):
                raise ServerRefuses(f"{self.model}: refused: {reason}; check key and model") from None
            raise RequestFailed(f"{about}{reason}") from None
        self._works = True
        return result

    def _delete_uploads(self) -> None:
        done = [file.result() for file in self._uploaded.futures.values() if file.done() and not file.exception()]
        self._uploaded = OncePerKey(self._upload)
        failures = 0
        for file in done:
            try:
                self.client.files.delete(name=file.name)
            except Exception:  # the server deletes it within two days
                failures += 1
        if failures:
            logger.warning(
                f"{self.name}: {failures} of {len(done)} uploaded clips could not be deleted from the server"
            )


def own_sound(clip: ClipFiles) -> bool:
    """Whether the sound of a question is the track in its video: the same file, or the wav made of it.

    Raises MediaError where the video cannot be decoded.
    """
    if not clip.video or not clip.audio or not media.probe(clip.video).has_audio:
        return False
    return clip.audio == clip.video or clip.audio == str(media.separate_wav(clip.video, settings.load().cache))


def _answer(response: "types.GenerateContentResponse") -> Answer:
    """The response's text; a mark where it was blocked. Raises RequestFailed where there is neither."""
    counts = _tokens(response.usage_metadata)
    candidate = response.candidates[0] if response.candidates else None
    parts = (candidate.content.parts or []) if candidate and candidate.content else []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    if text:
        return Answer(text, *counts)
    reason = candidate.finish_reason if candidate else getattr(response.prompt_feedback, "block_reason", None)
    reason_name = getattr(reason, "name", None) or "no reason given"
    if reason_name == "MAX_TOKENS":
        raise RequestFailed("it thought until its tokens were used up; set thinking=0, or a larger thinking=N")
    if reason_name == "STOP" or reason is None:
        raise RequestFailed(f"the server answered without a text ({reason_name})")
    return Answer(BLOCKED.format(reason_name), *counts)


def _tokens(usage: "types.GenerateContentResponseUsageMetadata | None") -> tuple[int, int, int, int]:
    """Tokens in, tokens out with the thought ones, the thought ones, those of the sound; 0 for what is not counted."""
    thought = getattr(usage, "thoughts_token_count", 0) or 0
    out = (getattr(usage, "candidates_token_count", 0) or 0) + thought
    sound = sum(
        part.token_count or 0
        for part in getattr(usage, "prompt_tokens_details", None) or []
        if part.modality and part.modality.name == "AUDIO"
    )
    return getattr(usage, "prompt_token_count", 0) or 0, out, thought, sound


def _refuses(error: Exception) -> bool:
    code = getattr(error, "code", None)
    return code in _REFUSALS or (code == 400 and "API_KEY_INVALID" in str(error))


def _passes(error: BaseException) -> bool:
    """Whether a fault may be gone the next time: the server's, or on the way to it."""
    code = getattr(error, "code", None)
    return code in _PASSING or (code is None and type(error).__module__.startswith(("httpx", "httpcore")))


def _wait(state: tenacity.RetryCallState) -> float:
    """Seconds until the next attempt: what the server asks for, else 1, 2, 4, ... up to a minute."""
    error = state.outcome.exception() if state.outcome else None
    server_wait = asked_wait(error) if error else 0.0
    return server_wait or min(_BACKOFF * 2.0 ** (state.attempt_number - 1), _LONGEST_BACKOFF)


def asked_wait(error: BaseException) -> float:
    """Seconds that a server asks to wait: its Retry-After, or google.rpc.RetryInfo in its message; 0 without either."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    found = [headers.get("retry-after", "")]
    details = getattr(error, "details", None)
    inner = details.get("error", {}).get("details", []) if isinstance(details, dict) else []
    found += [one["retryDelay"].removesuffix("s") for one in inner if isinstance(one.get("retryDelay"), str)]
    waits = [float(one) for one in found if one.replace(".", "", 1).isdigit()]
    return min(max(waits, default=0.0), _LONGEST_WAIT)
