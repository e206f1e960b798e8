"""What the models in vLLM's engine share: how it is started, and how questions are submitted to it, all at once.

Questions about one clip follow one another, so that its media are prepared, encoded (encoder cache) and attended to
(prefix cache) once. vLLM uses several GPUs by itself: `tensor_parallel_size=N`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm import tqdm

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import parse_json, read_bytes
from model_adapters.base import arguments, lora_folders
from model_adapters.base.chat import ChatArguments, ChatAV

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams
    from vllm.lora.request import LoRARequest

    Prompt = tuple[dict[str, Any], SamplingParams]

_FIXED = ("model", "worker_extension_cls", "skip_tokenizer_init")
"""vLLM's arguments that the models set themselves."""
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of which vLLM has kernels for LoRA


@dataclass(frozen=True)
class Arguments(ChatArguments):
    """The `--model_args` beside those of `ChatArguments`.

    Every other one is vLLM's: tensor_parallel_size, dtype, gpu_memory_utilization, max_model_len, ...
    """

    pretrained: str | None = None
    """Which weights answer."""
    queue: int = 4096
    """The most questions submitted at once, decoded.

    It bounds the memory that a large task takes, and how many answers a killed run loses in spite of --use_cache.
    """
    batch_size: int | str | None = None
    """For lmms-eval; the engine batches by itself (max_num_seqs)."""
    device: str | None = None
    """For lmms-eval; the engine uses its own GPUs."""


Chosen = TypeVar("Chosen", bound=Arguments)


class VLLMChat(ChatAV):
    """A chat model in vLLM's engine, which subclasses start."""

    engine: "LLM"
    lora: "LoRARequest | None" = None
    """Adapters that work on the weights (see `lora`)."""

    def __init__(self, chosen: Arguments) -> None:
        super().__init__(chosen)
        if arguments.launched("WORLD_SIZE", 1, self.name) > 1:
            stop(f"{self.name}: start it once, without accelerate launch: tensor_parallel_size=N uses N GPUs")
        self.queue = int(arguments.number("queue", chosen.queue, 1, 1e9, self.name))

    def finished(
        self, order: Sequence[int], prompt: "Callable[[int], Prompt]"
    ) -> "Iterator[tuple[int, RequestOutput | Exception]]":
        """Each number of `order` with what the engine says to `prompt(number)`, or why it was not submitted."""
        for start in range(0, len(order), self.queue):
            submitted = []
            for number in tqdm(order[start : start + self.queue], desc=f"{self.name}: decoding"):
                try:
                    self.submit(*prompt(number))
                    submitted.append(number)
                except Exception as error:
                    yield number, error
            yield from zip(submitted, self._outputs(), strict=True)

    def submit(self, prompt: dict[str, Any], params: "SamplingParams") -> None:
        """Hand a prompt to the engine, with the adapters that work on the weights."""
        adapters = {"lora_request": self.lora} if self.lora else {}
        self.engine.enqueue(prompt, params, use_tqdm=False, **adapters)

    def _outputs(self) -> "list[RequestOutput]":
        """What was submitted, answered, in the same order."""
        try:
            return self.engine.wait_for_completion(use_tqdm=True)
        except Exception as error:  # out of memory, say: the engine is gone, and with it every question in it
            stop(f"{self.name}: vLLM's engine ended: {self.failure_text(error)}; its own messages above say why")


def split(form: type[Chosen], model_args: Mapping[str, Any]) -> tuple[Chosen, dict[str, Any]]:
    """Model arguments as those of `form`, and the others, which are vLLM's (see `refuse_unknown`)."""
    own_names = [field.name for field in fields(form)]
    engine_args = {name: value for name, value in model_args.items() if name not in own_names}
    return form(**{name: value for name, value in model_args.items() if name in own_names}), engine_args


def refuse_unknown(form: type[Arguments], engine_args: Mapping[str, Any], owner: str) -> None:
    """Stop at an argument that vLLM does not know either, and where vLLM is missing."""
    _, form_of_engine = classes(owner)
    known = [field.name for field in fields(form_of_engine) if field.name not in _FIXED]
    own_names = [field.name for field in fields(form)]
    arguments.refuse_unknown([name for name in engine_args if name not in known], [*own_names, *known], owner)


def classes(owner: str) -> tuple[Any, Any]:
    """The classes `LLM` and `EngineArgs` of vLLM; stops in one line where vLLM is missing."""
    try:
        from vllm import LLM, EngineArgs
    except ImportError as error:
        stop(
            f"{owner}: vLLM cannot be imported ({arguments.first_line(error)}); it pins torch and transformers: "
            "install it in an environment of its own, pip install 'emorealm[vllm]'"
        )
    return LLM, EngineArgs


@contextmanager
def starting(owner: str, checkpoint: str) -> Iterator[None]:
    """Stop in one line where vLLM refuses to start with a checkpoint."""
    try:
        yield
    except Exception as error:  # of whatever kind the files are broken in
        stop(f"{owner}: vLLM does not start with {checkpoint}: {arguments.first_line(error)}")


def lora(adapter: Path) -> "tuple[LoRARequest, dict[str, Any]]":
    """A folder of LoRA adapters as every request names it, and the engine's arguments for it."""
    from vllm.lora.request import LoRARequest

    config = parse_json(read_bytes(adapter / lora_folders.CONFIG))
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    room = next((size for size in _RANKS if size >= rank), rank)
    return LoRARequest(adapter.name, 1, str(adapter.resolve())), {"enable_lora": True, "max_lora_rank": room}
