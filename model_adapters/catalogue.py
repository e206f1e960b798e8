"""Every model that answers: its name for lmms-eval, by which route, what it is really fed, under which licence.

The one table of models. `manifests` offers its chat classes to lmms-eval, the README's table is made of it (see
`emorealm_results.models_page`), and adapters take their default checkpoint from it. Nothing heavy is imported here.
"""

from dataclasses import dataclass

IN_PROCESS = "in this process"
WORKER = "external worker"
ENGINE = "engine or server"


@dataclass(frozen=True)
class Model:
    """One way to get answers from one model."""

    name: str
    """`--model` of lmms-eval; for a worker the name of its script (`--model external_worker`, `worker=NAME`)."""
    route: str
    """IN_PROCESS, WORKER or ENGINE."""
    hears: bool
    """Whether the sound of a clip really reaches the model."""
    sees: bool
    checkpoint: str
    """Hub id or where the weights come from."""
    licence: str
    """Of the weights, as its publisher names it."""
    tested: str
    """What the tests prove without the weights."""
    published: str = ""
    """The model's name in Table 13; "" = not in it."""
    chat_class: str = ""
    """Import path of its lmms-eval class, if it has one of its own."""
    note: str = ""
    """What differs from the paper's way of asking it."""


_TINY = "tiny random weights, CPU"

MODELS: tuple[Model, ...] = (
    Model(
        name="qwen2_5_omni_av",
        route=IN_PROCESS,
        hears=True,
        sees=True,
        checkpoint="Qwen/Qwen2.5-Omni-7B",
        licence="Apache 2.0",
        tested=_TINY,
        published="Qwen 2.5 Omni",
        chat_class="model_adapters.in_process.omni.Qwen25OmniAV",
    ),
    Model(
        name="qwen3_omni_av",
        route=IN_PROCESS,
        hears=True,
        sees=True,
        checkpoint="Qwen/Qwen3-Omni-30B-A3B-Instruct",
        licence="Apache 2.0",
        tested=_TINY,
        chat_class="model_adapters.in_process.omni.Qwen3OmniAV",
    ),
    Model(
        name="qwen2_audio_av",
        route=IN_PROCESS,
        hears=True,
        sees=False,
        checkpoint="Qwen/Qwen2-Audio-7B-Instruct",
        licence="Apache 2.0",
        tested=_TINY,
        published="Qwen 2 Audio",
        chat_class="model_adapters.in_process.ears.Qwen2AudioAV",
    ),
    Model(
        name="audio_flamingo3_av",
        route=IN_PROCESS,
        hears=True,
        sees=False,
        checkpoint="nvidia/audio-flamingo-3-hf",
        licence="NVIDIA OneWay Noncommercial",
        tested=_TINY,
        published="Audio Flamingo 3",
        chat_class="model_adapters.in_process.ears.AudioFlamingo3AV",
    ),
    Model(
        name="videollama3_av",
        route=IN_PROCESS,
        hears=False,
        sees=True,
        checkpoint="",
        licence="Apache 2.0",
        tested=_TINY,
        published="VideoLLaMA 3",
        chat_class="model_adapters.in_process.eyes.VideoLlama3AV",
        note="DAMO-NLP-SG/VideoLLaMA3-7B in transformers' own layout must be named in pretrained=",
    ),
    Model(
        name="qwen2_5_vl_av",
        route=IN_PROCESS,
        hears=False,
        sees=True,
        checkpoint="Qwen/Qwen2.5-VL-7B-Instruct",
        licence="Apache 2.0",
        tested=_TINY,
        published="Qwen 2.5 VL",
        chat_class="model_adapters.in_process.eyes.Qwen25VLAV",
    ),
    Model(
        name="internvl3_5_av",
        route=IN_PROCESS,
        hears=False,
        sees=True,
        checkpoint="OpenGVLab/InternVL3_5-8B-HF",
        licence="Apache 2.0",
        tested=_TINY,
        published="InternVL 3.5",
        chat_class="model_adapters.in_process.eyes.InternVL35AV",
    ),
)
"""In the order of the README's table: audiovisual in this process, then ears, then eyes; workers; engines."""


def find(name: str) -> Model:
    """The entry of that name. Raises KeyError."""
    return {model.name: model for model in MODELS}[name]
