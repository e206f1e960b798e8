"""`gemini_av`: Gemini 2.5 with the mp4 itself, picture and sound, through Google's own client (extra `gemini`).

lmms-eval's own class is not built upon, because its faults lie inside the loop that would be inherited: an upload that
fails ends the run, with all answers; a wrong key is tried five times a question; the wait that a server asks for is not
kept; a file's sound track is sent with questions about the picture alone; thinking eats the few tokens that an answer
may have, and what is left ("" or a safety tag, though nothing was unsafe) passes for an answer.

A clip is uploaded once, as it lies on disk where the question's sound is the file's own track, else without its sound
(which then goes beside it as a wav, if there is one). An upload that fails costs the questions about its clip.
"""

import io
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import soundfile
import tenacity
from loguru import logger

from emorealm_tasks import media, settings
from emorealm_tasks.chat_client import RequestFailed, ServerRefuses
from emorealm_tasks.errors import stop
from emorealm_tasks.harness.failures import BLOCKED
from model_adapters.base import arguments
from model_adapters.base.chat import ChatRequest
from model_adapters.base.media_refs import ClipFiles
from model_adapters.engines import payloads

from .cost import Answer
from .served import ARGUMENTS, Once, ServedChat, read_key

if TYPE_CHECKING:
    from google.genai import types
    from lmms_eval.api.instance import GenerationResult, Instance

_KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
_PASSING = (408, 429, 500, 502, 503, 504)
_REFUSALS = (401, 403, 404)
_POLL = 2.0  # seconds between looks at a file that is being processed
_BACKOFF, _LONGEST_BACKOFF, _LONGEST_WAIT = 1.0, 60.0, 120.0  # seconds
_HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


class GeminiAV(ServedChat):
    """See `ServedChat`.

    model: default gemini-2.5-flash. key: default GOOGLE_API_KEY, else GEMINI_API_KEY.
    thinking: tokens that it may think for (0: none, which 2.5 Pro does not offer; -1: as many as it likes), on top of
    those of the answer.
    upload_timeout: seconds that the processing of a clip may take.
    base_url: another address of the API; default GOOGLE_GEMINI_BASE_URL, else Google's own.
    """

    name = "gemini_av"
    own_arguments: ClassVar[tuple[str, ...]] = ("thinking", "upload_timeout", "base_url")

    def __init__(
        self,
        model: str = "gemini-2.5-flash",
        key: str | None = None,
        thinking: int = 1024,
        upload_timeout: float = 300.0,
        base_url: str | None = None,
        **more: Any,
    ) -> None:
        known = [name for name in (*ARGUMENTS, *self.own_arguments) if name not in ("fps", "frames")]
        arguments.refuse_unknown([name for name in more if name not in known], known, self.name)
        try:
            from google import genai
            from google.genai import types
        except ImportError:
            stop(f"{self.name}: Google's client is not installed: pip install 'emorealm[gemini]'")
        self._key = read_key([key] if key else _KEYS)
        if not self._key:
            stop(f"{self.name}: set {key or ' or '.join(_KEYS)} to a key of the Gemini API")
        super().__init__(model=model, **more)
        self.model = model
        self.thinking = int(arguments.number("thinking", thinking, -1, 1e6, self.name))
        self.upload_timeout = arguments.number("upload_timeout", upload_timeout, 0.1, 1e6, self.name)
        options = types.HttpOptions(base_url=base_url, timeout=round(1000 * self.timeout))
        self.client = genai.Client(api_key=self._key, vertexai=False, http_options=options)
        self._works = False
        self._uploaded = Once(self._upload)

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
        contents: list[types.PartUnionDict] = [*self._media(request.clip), request.ask.text]
        call = self.client.models.generate_content
        response = self._send(
            lambda: call(model=self.model, contents=contents, config=self._config(request.generation))
        )
        answer = _answer(response)
        if request.clip.audio and not request.clip.video:
            self.log_media(request.ask.clip, [], soundfile.info(str(payloads.wav(request.clip.audio))).duration)
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
        again = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.retries + 1),
            retry=tenacity.retry_if_exception(_passes),
            wait=_wait,
            reraise=True,
        )
        try:
            result = again(call)
        except Exception as error:
            said = f"{type(error).__name__}: {error}".replace(self._key, "***")[:300]
            if not self._works and _refuses(error):
                raise ServerRefuses(f"{self.model}: refused: {said}; check key and model") from None
            raise RequestFailed(f"{about}{said}") from None
        self._works = True
        return result

    def _delete_uploads(self) -> None:
        done = [file.result() for file in self._uploaded.made.values() if file.done() and not file.exception()]
        self._uploaded = Once(self._upload)
        left = 0
        for file in done:
            try:
                self.client.files.delete(name=file.name)
            except Exception:  # the server deletes it within two days
                left += 1
        if left:
            logger.warning(f"{self.name}: {left} of {len(done)} uploaded clips could not be deleted from the server")


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
    named = getattr(reason, "name", None) or "no reason given"
    if named == "MAX_TOKENS":
        raise RequestFailed("it thought until its tokens were used up; set thinking=0, or a larger thinking=N")
    if named == "STOP" or reason is None:
        raise RequestFailed(f"the server answered without a text ({named})")
    return Answer(BLOCKED.format(named), *counts)


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
    asked = asked_wait(error) if error else 0.0
    return asked or min(_BACKOFF * 2.0 ** (state.attempt_number - 1), _LONGEST_BACKOFF)


def asked_wait(error: BaseException) -> float:
    """Seconds that a server asks to wait: its Retry-After, or google.rpc.RetryInfo in its message; 0 without either."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    found = [headers.get("retry-after", "")]
    details = getattr(error, "details", None)
    inner = details.get("error", {}).get("details", []) if isinstance(details, dict) else []
    found += [one["retryDelay"].removesuffix("s") for one in inner if isinstance(one.get("retryDelay"), str)]
    waits = [float(one) for one in found if one.replace(".", "", 1).isdigit()]
    return min(max(waits, default=0.0), _LONGEST_WAIT)
