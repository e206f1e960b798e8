"""Every model that answers: its name for lmms-eval, by which route, what it is really fed, under which licence.

The one table of models. `manifests` offers its chat classes to lmms-eval, the README's table is made of it (see
`emorealm_results.paper.models_page`), and adapters take their default checkpoint from it. It imports nothing heavy.
"""

import re
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
    checkpoint: str
    """Hub id or where the weights come from."""
    licence: str
    """Of the weights, as its publisher names it."""
    tested: str
    """What the tests prove without the weights."""
    hears: bool = True
    """Whether the sound of a clip really reaches the model."""
    sees: bool = True
    """Whether the picture of a clip really reaches the model."""
    published: str = ""
    """The model's name in Table 13; "" = not in it."""
    also: tuple[str, ...] = ()
    """Further rows of Table 13 that it answers with other arguments."""
    chat_class: str = ""
    """Import path of its lmms-eval class, if it has one of its own."""
    note: str = ""
    """What differs from the paper's way of asking it."""

    @property
    def parameters(self) -> str:
        """Of the checkpoint, as its name says."""
        return parameters(self.checkpoint)


def parameters(checkpoint: str) -> str:
    """How many parameters a checkpoint's name says, as "7B" or "30B-A3B" (of which active); "" where it says none."""
    found = re.search(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?b(?:-a\d+b)?)(?![A-Za-z0-9])", checkpoint, re.IGNORECASE)
    return found[1].upper() if found else ""


_TINY = "tiny random weights on a CPU"
_GOLDEN = "golden numbers of the released code; tiny random weights on a CPU"
_STUBS = "its calls, on a stub with the official names and arguments"
_OFFICIAL = "the official code with tiny random weights on a CPU; its calls, on a stub"

MODELS: tuple[Model, ...] = (
    Model(
        name="avere",
        route=IN_PROCESS,
        checkpoint="chaubeyG/AVERE-7B",
        licence="USC Research",
        tested="golden numbers of the released code; avere-nano answers emorealm_mini",
        published="Our base + AVEm-DPO",
        note="converted first: `python -m model_adapters.avere.convert`",
    ),
    Model(
        name="emotion_llama",
        route=IN_PROCESS,
        checkpoint="",
        licence="BSD 3-Clause, non-commercial",
        tested="golden numbers of the released code; emotion-llama-nano answers emorealm_mini",
        chat_class="model_adapters.emotion_llama.adapter.EmotionLlama",
        note="converted first: `model_adapters.emotion_llama.convert`, or `emotion_llama_nano`, the embedded one; MAE "
        "features by `features=`, no subtitles",
    ),
    Model(
        name="emotion_llama_v2",
        route=IN_PROCESS,
        checkpoint="",
        licence="BSD 3-Clause, non-commercial",
        tested=_GOLDEN,
        chat_class="model_adapters.emotion_llama.adapter.EmotionLlamaV2",
        note="converted first, likewise; 16 frames from the clip's middle, the released code's start at random",
    ),
    Model(
        name="qwen2_5_omni_av",
        route=IN_PROCESS,
        checkpoint="Qwen/Qwen2.5-Omni-7B",
        licence="Apache 2.0",
        tested=_TINY,
        published="Qwen 2.5 Omni",
        chat_class="model_adapters.in_process.audio_visual.Qwen25OmniAV",
    ),
    Model(
        name="qwen3_omni_av",
        route=IN_PROCESS,
        checkpoint="Qwen/Qwen3-Omni-30B-A3B-Instruct",
        licence="Apache 2.0",
        tested=_TINY,
        chat_class="model_adapters.in_process.audio_visual.Qwen3OmniAV",
    ),
    Model(
        name="qwen2_audio_av",
        route=IN_PROCESS,
        sees=False,
        checkpoint="Qwen/Qwen2-Audio-7B-Instruct",
        licence="Apache 2.0",
        tested=_TINY,
        published="Qwen 2 Audio",
        chat_class="model_adapters.in_process.audio_only.Qwen2AudioAV",
    ),
    Model(
        name="audio_flamingo3_av",
        route=IN_PROCESS,
        sees=False,
        checkpoint="nvidia/audio-flamingo-3-hf",
        licence="NVIDIA OneWay Noncommercial",
        tested=_TINY,
        published="Audio Flamingo 3",
        chat_class="model_adapters.in_process.audio_only.AudioFlamingo3AV",
    ),
    Model(
        name="videollama3_av",
        route=IN_PROCESS,
        hears=False,
        checkpoint="",
        licence="Apache 2.0",
        tested=_TINY,
        published="VideoLLaMA 3",
        chat_class="model_adapters.in_process.vision_only.VideoLlama3AV",
        note="DAMO-NLP-SG/VideoLLaMA3-7B in transformers' own layout must be named in pretrained=",
    ),
    Model(
        name="qwen2_5_vl_av",
        route=IN_PROCESS,
        hears=False,
        checkpoint="Qwen/Qwen2.5-VL-7B-Instruct",
        licence="Apache 2.0",
        tested=_TINY,
        published="Qwen 2.5 VL",
        chat_class="model_adapters.in_process.vision_only.Qwen25VLAV",
    ),
    Model(
        name="internvl3_5_av",
        route=IN_PROCESS,
        hears=False,
        checkpoint="OpenGVLab/InternVL3_5-8B-HF",
        licence="Apache 2.0",
        tested=_TINY,
        published="InternVL 3.5",
        chat_class="model_adapters.in_process.vision_only.InternVL35AV",
    ),
    Model(
        name="videollama2",
        route=WORKER,
        checkpoint="DAMO-NLP-SG/VideoLLaMA2.1-7B-AV",
        licence="Apache 2.0, research preview",
        tested=_OFFICIAL,
        published="VideoLLaMA2",
    ),
    Model(
        name="ola",
        route=WORKER,
        checkpoint="THUdyh/Ola-7b",
        licence="Apache 2.0",
        tested=_OFFICIAL,
        published="OLA",
        note="greedy, the released script samples at 0.2",
    ),
    Model(
        name="vita",
        route=WORKER,
        checkpoint="VITA-MLLM/VITA-1.5",
        licence="VITA-1.5, research only",
        tested=_OFFICIAL,
        published="VITA-1.5",
        note="the clip's sound goes into the slot for a spoken question; `sound=none` leaves it deaf",
    ),
    Model(
        name="pandagpt",
        route=WORKER,
        checkpoint="openllmplayground/pandagpt_7b_max_len_1024",
        licence="CC BY-NC 4.0",
        tested=_OFFICIAL,
        published="PandaGPT",
        note="greedy, the released code samples",
    ),
    Model(
        name="video_llama",
        route=WORKER,
        checkpoint="DAMO-NLP-SG/Video-LLaMA-Series",
        licence="BSD 3-Clause, non-commercial",
        tested=_OFFICIAL,
        published="VideoLLaMA",
        note="greedy, the released code samples",
    ),
    Model(
        name="onellm",
        route=WORKER,
        checkpoint="csuhan/OneLLM-7B",
        licence="Llama 2",
        tested=_OFFICIAL,
        published="OneLLM",
        note="picture and sound joined by us, as D.4 says; the released code takes one of them",
    ),
    Model(
        name="emotion_llama_released",
        route=WORKER,
        checkpoint="Emoation_LLaMA.pth, linked from the repository",
        licence="BSD 3-Clause, non-commercial",
        tested=_OFFICIAL,
        note="the demo's input: first frame, mean of HuBERT, no MAE features; not the paper's finetuned EmotionLLaMA*",
    ),
    Model(
        name="kimi_audio",
        route=WORKER,
        sees=False,
        checkpoint="moonshotai/Kimi-Audio-7B-Instruct",
        licence="MIT and Apache 2.0",
        tested=_STUBS,
        published="Kimi-Audio",
    ),
    Model(
        name="mosear",
        route=WORKER,
        checkpoint="AaronHan/MoSEAR",
        licence="unknown",
        tested="it refuses",
        note="its code is not public: the worker refuses",
    ),
    Model(
        name="avere_official",
        route=WORKER,
        checkpoint="chaubeyG/AVERE-7B",
        licence="USC Research",
        tested="the released code on the golden weights: its golden numbers; its calls, on a stub",
        note="the released code; `faithful=yes` mirrors and samples as it does",
    ),
    Model(
        name="avere_native",
        route=WORKER,
        checkpoint="a converted folder, or `avere_nano`",
        licence="USC Research",
        tested="avere-nano answers emorealm_mini as `avere` does",
        note="`avere` in a process of its own: an example",
    ),
    Model(
        name="avere_vllm",
        route=ENGINE,
        checkpoint="chaubeyG/AVERE-7B",
        licence="USC Research",
        tested="vLLM itself on a CPU: avere-nano answers as `avere` does",
        published="Our base + AVEm-DPO",
        chat_class="model_adapters.engines.avere_vllm.AvereVLLM",
        note="converted first, as for `avere`",
    ),
    Model(
        name="qwen2_5_omni_vllm",
        route=ENGINE,
        checkpoint="Qwen/Qwen2.5-Omni-7B",
        licence="Apache 2.0",
        tested="vLLM itself on a CPU, tiny random weights",
        published="Qwen 2.5 Omni",
        chat_class="model_adapters.engines.omni_vllm.Qwen25OmniVLLM",
    ),
    Model(
        name="openai_av",
        route=ENGINE,
        checkpoint="any that an OpenAI-compatible server serves",
        licence="the model's",
        tested="a local server that looks at its media and fails in every way",
        chat_class="model_adapters.engines.openai_server.OpenAIAV",
        note="what really is heard and seen depends on the server's model",
    ),
    Model(
        name="gemini_av",
        route=ENGINE,
        checkpoint="gemini-2.5-flash, on Google's server",
        licence="Google's terms of service",
        tested="Google's client on a local stand-in for its server",
        published="Gemini 2.5 Flash",
        also=("Gemini 2.5 Pro",),
        chat_class="model_adapters.engines.gemini.GeminiAV",
        note="`model=gemini-2.5-pro` is the paper's other row; `thinking=N` tokens, of which the paper says nothing",
    ),
)
"""In the order of the README's table: in this process audio-visual, audio only, vision only; workers; engines."""


def find(name: str) -> Model:
    """The entry of that name. Raises KeyError."""
    return {model.name: model for model in MODELS}[name]
