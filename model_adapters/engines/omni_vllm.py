"""`qwen2_5_omni_vllm`: Qwen2.5-Omni's thinker in vLLM's own engine, in this process (extra `vllm`).

Prompts, frames and sound are those of `qwen2_5_omni_av`: decoded here, so that both models are asked the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from transformers import AutoConfig, Qwen2_5OmniProcessor

from emorealm_tasks.errors import stop
from emorealm_tasks.harness import request_settings, response_cache
from model_adapters import catalogue
from model_adapters.base import arguments, checkpoint_files, dry_run, lora_folders
from model_adapters.base.chat import ChatRequest
from model_adapters.base.failures import ErrorBudget, cut
from model_adapters.base.fingerprint import fingerprint
from model_adapters.base.frame_sampling import ClipMedia, ClipReader
from model_adapters.base.hub import named_revision
from model_adapters.in_process.audio_visual import Qwen25OmniAV
from model_adapters.in_process.prompts import picture_limits, templated

from . import vllm_chat

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams

_TYPE = "qwen2_5_omni"
_EXTENSION = "model_adapters.engines.vllm_positions.AlignedPositions"


@dataclass(frozen=True)
class Arguments(vllm_chat.Arguments):
    """The `--model_args`. `pretrained` is a hub id or folder in the published layout, talker and all."""

    interleave: bool = True
    """Whether sound is interleaved with the frames, as in `in_process.audio_visual`."""


class Qwen25OmniVLLM(vllm_chat.VLLMChat):
    """Qwen2.5-Omni in vLLM. See `Arguments` for its arguments."""

    name = "qwen2_5_omni_vllm"
    sampling = Qwen25OmniAV.sampling
    default_system: ClassVar[str] = Qwen25OmniAV.default_system

    def __init__(self, **model_args: Any) -> None:
        chosen, engine_args = vllm_chat.split(Arguments, model_args)
        super().__init__(chosen)
        if not isinstance(chosen.interleave, bool):
            stop(f"{self.name}: interleave={chosen.interleave!r}; use true or false")
        self.interleave = chosen.interleave
        checkpoint, revision = named_revision(chosen.pretrained or catalogue.find(self.name).checkpoint)
        if revision:
            engine_args["revision"] = revision
        _refuse_adapters(self.name, checkpoint, engine_args)
        self.engine = _engine(self.name, checkpoint, engine_args)
        self.processor = self._processor(checkpoint, engine_args.get("revision"))
        self.reader = ClipReader(self.sampling)
        folder = Path(checkpoint)
        self.fingerprint = fingerprint(folder) if folder.is_dir() else f"{checkpoint}@{engine_args.get('revision')}"

    def _processor(self, checkpoint: str, revision: str | None) -> Qwen2_5OmniProcessor:
        try:
            at: dict[str, Any] = {"revision": revision} if revision else {}
            processor: Qwen2_5OmniProcessor = Qwen2_5OmniProcessor.from_pretrained(checkpoint, **at)
        except Exception as error:  # of whatever kind its files are broken in
            reason = arguments.first_line(error)
            stop(f"{self.name}: {checkpoint}: its processor cannot be loaded ({reason}); check pretrained=")
        return processor

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        """An answer to each request."""
        request_settings.note(self.ways())
        chats = [self.read_request(request) for request in requests]
        budget = ErrorBudget(self.name, self.max_errors, len(chats), self._reported, "")
        order = sorted(range(len(chats)), key=lambda number: str(chats[number].clip))
        answers: dict[int, GenerationResult] = {}
        for number, output in self.finished(order, lambda number: self.prompt(chats[number])):
            if isinstance(output, Exception):
                answers[number] = GenerationResult(budget.spend(self.failure_text(output)))
                continue
            answers[number] = _result(output, chats[number])
            response_cache.keep(requests[number], answers[number])
        return [answers[number] for number in range(len(chats))]

    def ways(self) -> dict[str, Any]:
        """As `ChatAV.ways`, with the whole prompt about a clip; the engine says its precision in its own messages."""
        together = self.interleave and self.sees and self.hears
        blocks = ["video"] * self.sees + ["audio"] * (self.hears and not together)
        prompt = templated(self.processor, blocks, "{question}", self.system)
        of_clip = {"interleave": self.interleave, "picture": picture_limits(self.processor)}
        return super().ways() | of_clip | {"prompt": prompt, "contrastive": None}

    def read_request(self, instance: Instance) -> ChatRequest:
        """As `ChatAV.read_request`; stops where a task wants beams, which the engine's queue does not offer."""
        request = super().read_request(instance)
        if request.generation["num_beams"] > 1:
            stop(f"{self.name}: task {request.task} asks for beams; it decodes greedily or samples (num_beams=1)")
        return request

    def prompt(self, request: ChatRequest) -> "tuple[dict[str, Any], SamplingParams]":
        """A question as the engine takes it, and how to decode. Raises MediaError."""
        clip_media = self.reader(request.clip)
        together = self.interleave and clip_media.video is not None and clip_media.audio is not None
        self.log_clip_media(request.question.clip, clip_media, self.reader.sampling.rate)
        data: dict[str, Any] = {}
        if clip_media.video:
            data["video"] = [clip_media.video.frames]
        if clip_media.audio is not None:
            data["audio"] = [(clip_media.audio, self.reader.sampling.rate)]
        blocks = ["video"] if together else list(data)
        prompt: dict[str, Any] = {"prompt": templated(self.processor, blocks, request.question.text, self.system)}
        if data:
            prompt |= {"multi_modal_data": data, "mm_processor_kwargs": _processing(clip_media, together)}
        return prompt, self._sampling(request)

    def _sampling(self, request: ChatRequest) -> "SamplingParams":
        """Decoding as the task asks for it; of the checkpoint's own settings the repetition penalty counts."""
        params = self.engine.get_default_sampling_params()
        params.max_tokens = request.generation["max_new_tokens"]
        params.temperature = request.generation["temperature"] or 0.0
        params.top_p, params.top_k = request.generation["top_p"] or 1.0, 0
        return params


def _processing(clip_media: ClipMedia, together: bool) -> dict[str, Any]:
    """What vLLM tells the processor: the rate the frames were sampled at, and whether sound is interleaved with them.

    vLLM lays an interleaved prompt out by `second_per_grid_ts`, which must say the same as `fps` (a pair of frames
    is one step of the grid); without it, it assumes two frames a second.
    """
    settings: dict[str, Any] = {}
    if clip_media.video:
        settings = {"fps": clip_media.video.fps, "do_sample_frames": False}
        if together:
            settings |= {"use_audio_in_video": True, "second_per_grid_ts": [2.0 / clip_media.video.fps]}
    return settings


def _result(output: "RequestOutput", request: ChatRequest) -> GenerationResult:
    completion = output.outputs[0]
    return GenerationResult(
        cut(completion.text, request.until), TokenCounts(len(output.prompt_token_ids), len(completion.token_ids))
    )


def _refuse_adapters(owner: str, checkpoint: str, engine_args: Mapping[str, Any]) -> None:
    """Stop where LoRA adapters are to answer: none are handed to vLLM here, and the base alone would answer."""
    if lora_folders.is_adapters_only(Path(checkpoint).expanduser()):
        stop(
            f"{owner}: {checkpoint} holds adapters alone, which vLLM is not given here; ask them with --model "
            f"{Qwen25OmniAV.name} --model_args pretrained={checkpoint}, where they work beside the weights, in float32"
        )
    if engine_args.get("enable_lora"):
        stop(
            f"{owner}: enable_lora=True: vLLM is not given adapters here, so the base alone would answer; leave "
            f"it out, or ask adapters with --model {Qwen25OmniAV.name} --model_args pretrained=FOLDER"
        )


def _engine(owner: str, checkpoint: str, engine_args: Mapping[str, Any]) -> "LLM":
    """The engine of a checkpoint, its prefix cache on; stops in one line where it is missing or refuses."""
    vllm_chat.refuse_unknown(Arguments, engine_args, owner)
    try:
        model_type = AutoConfig.from_pretrained(checkpoint, revision=engine_args.get("revision")).model_type
    except Exception as error:  # of whatever kind the file is broken in
        stop(
            f"{owner}: {checkpoint}: its config.json cannot be read ({arguments.first_line(error)}); check pretrained="
        )
    if model_type != _TYPE:
        stop(
            f"{owner}: {checkpoint}: its model_type is {model_type!r}, not {_TYPE!r}: "
            "name a whole Qwen2.5-Omni checkpoint"
        )
    if reason := checkpoint_files.fault_if_there(Path(checkpoint)):
        stop(f"{owner}: {checkpoint} cannot be used: {reason}")
    dry_run.ends_here()
    defaults = {"enable_prefix_caching": True, "limit_mm_per_prompt": {"video": 1, "audio": 1, "image": 0}}
    engine_class, _ = vllm_chat.classes(owner)
    with vllm_chat.starting(owner, checkpoint):
        engine = engine_class(checkpoint, **defaults | dict(engine_args), worker_extension_cls=_EXTENSION)
        engine.collective_rpc("align_positions")
    return engine
