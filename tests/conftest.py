"""Fixtures every test folder shares: real clips, encoded on the spot."""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

import stand_in_server
from avem_train.backbones import loading

if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # of a job in a shell's background; commands that tests interrupt would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

# a busy machine is no failure: examples are bounded in number, not in time
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


gc.disable()  # what is imported and collected stays: to look through it time and again takes three seconds


def pytest_collection_finish() -> None:
    """From here on objects come and go."""
    gc.enable()


@pytest.fixture(autouse=True)
def no_log_outlives_its_test() -> Iterator[None]:
    """lmms-eval logs to the `sys.stdout` it finds, a test's own capture perhaps, which is closed when the test ends."""
    yield
    if "loguru" in sys.modules:
        sys.modules["loguru"].logger.remove()


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The lines that are logged while the test runs."""
    from loguru import logger

    lines: list[str] = []
    sink = logger.add(lines.append)
    yield lines
    logger.remove(sink)


@pytest.fixture(autouse=True, scope="module")
def collections_look_at_what_is_new() -> None:
    """Imported libraries and collected tests are millions of objects, which every training's end would go through."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def no_server_outlives_its_file() -> Iterator[None]:
    """One that is left behind costs every later test of the process."""
    yield
    assert stand_in_server.serving() == []


def pytest_unconfigure() -> None:
    """Libraries tell of objects that are still there at the end of a process."""
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def no_model_is_noted_for_other_tests() -> Iterator[None]:
    """What a model of this process notes of itself goes into results files, also into those that other tests write."""
    yield
    if settings := sys.modules.get("emorealm_tasks.harness.request_settings"):
        settings.forget()
    if current_run := sys.modules.get("emorealm_tasks.harness.current_run"):
        current_run.note_model(None)


@pytest.fixture(scope="session", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Any:
    """Where a test runs that must hold on every device (torch.device); float32 is float32 there."""
    import torch

    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("needs a GPU")
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device(request.param)


def _encode_clip(
    path: Path,
    seconds: float = 2.0,
    fps: int = 12,
    size: int = 96,
    sound: bool = True,
    rate: int = 16000,
    channels: int = 1,
    tone: float = 440.0,
    faststart: bool = False,
    level: int = 16,
) -> Path:
    """Write an mp4 (H.264, AAC) whose frame i is a flat grey of `level` + 4 i, with a sine tone as its sound.

    `channels` = 2 puts silence in the right channel; `faststart` puts the index before the data.
    """
    import av  # here, so that tests that need no media run where it is missing

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast"})
        video.width = video.height = size
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=rate, layout="stereo" if channels == 2 else "mono") if sound else None
        for index in range(round(seconds * fps)):
            frame = np.full((size, size, 3), min(level + 4 * index, 235), np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None:
            wave = 0.5 * np.sin(2 * np.pi * tone * np.arange(round(seconds * rate)) / rate)
            planes = np.stack([wave] + [np.zeros_like(wave)] * (channels - 1)).astype(np.float32)
            for start in range(0, planes.shape[1], 1024):
                chunk = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(planes[:, start : start + 1024]), format="fltp", layout=audio.layout.name
                )
                chunk.sample_rate, chunk.pts = rate, start
                container.mux(audio.encode(chunk))
            container.mux(audio.encode(None))
    return path


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """The encoder of real clips: make_clip(path, seconds, fps, size, sound, rate, channels, tone, faststart, level)."""
    return _encode_clip


@pytest.fixture(scope="session")
def clips(make_clip, tmp_path_factory) -> list[str]:
    """Three clips that differ in length, picture and sound."""
    folder = tmp_path_factory.mktemp("clips")
    return [str(make_clip(folder / f"{i}.mp4", seconds=1 + i, tone=200.0 * (i + 1), size=64)) for i in range(3)]


@pytest.fixture(scope="session")
def tiny_avere(tmp_path_factory) -> Path:
    """A `from_pretrained` folder: AVERE with random weights, four frames of five tokens, four seconds of sound."""
    import sentencepiece
    import torch
    from transformers import LlamaTokenizer

    from model_adapters.avere import AvereConfig, AvereForConditionalGeneration, AvereProcessor
    from model_adapters.avere.processing import SYSTEM

    folder = tmp_path_factory.mktemp("tiny_avere")
    lines = [SYSTEM, "USER: Why is the person sad? (A) tears (B) a hat (C) laughter (D) rain ASSISTANT: A"] * 5
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=350,
        model_type="bpe",
        byte_fallback=True,
        minloglevel=2,
    )
    small = {"num_hidden_layers": 2, "num_attention_heads": 4}
    config = AvereConfig(
        text_config={"vocab_size": 350, "hidden_size": 32, "intermediate_size": 64, "initializer_range": 0.3} | small,
        vision_config={"image_size": 32, "patch_size": 16, "num_frames": 4, "hidden_size": 16, "intermediate_size": 32}
        | small,
        audio_config={"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}
        | {"num_mel_bins": 16, "window_seconds": 4},
        qformer_config={"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
        | {"window_seconds": 0.5, "stride_seconds": 0.5},
    )
    torch.manual_seed(0)
    model = AvereForConditionalGeneration(config).eval()
    for projector in (model.model.video_projector, model.model.audio_projector):
        for parameter in projector.parameters():  # loud enough media for the answers to depend on them
            torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder)
    AvereProcessor(LlamaTokenizer.from_pretrained(folder), config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def backbone(tiny_avere):
    """`tiny_avere` as preference training holds it, on the CPU in float32."""
    import torch

    loaded = loading.load(tiny_avere, torch.device("cpu"), torch.float32, 1 << 26)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def preference_file(tmp_path_factory, make_clip) -> Path:
    """Ten preference records about four clips: every kind of prompt, two emotions, answers with and without yes."""
    import json

    folder = tmp_path_factory.mktemp("preferences")
    for number in range(4):
        make_clip(folder / f"{number}.mp4", seconds=0.6 + 0.3 * number, tone=250.0 * (number + 1))
    replies = [("Yes, tears.", "Yes, a hat.", "Yes, laughter."), ("No, rain.", "Yes, rain.", "Yes, tears.")]
    replies.append(("A", "B", "C"))
    lines = []
    for number in range(10):
        chosen, relevant, hallucinated = replies[number % 3]
        record = {"id": f"r{number}", "video": f"{number % 4}.mp4", "prompt": f"Why sad {number}?", "chosen": chosen}
        record["modality"] = ("audio", "video", "audiovisual")[number % 3]
        record["emotion"] = ("sadness", "anger")[number % 2]
        lines.append(record | {"rejected_video_relevant": relevant, "rejected_emotion_relevant": hallucinated})
    path = folder / "preferences.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="session")
def conversation_file(preference_file) -> Path:
    """The prompts of `preference_file` and their chosen responses as conversations, beside the same clips."""
    import json

    items = []
    for line in map(json.loads, preference_file.read_text().splitlines()):
        turns = [{"from": "human", "value": line["prompt"]}, {"from": "gpt", "value": line["chosen"]}]
        items.append({"id": line["id"], "video": line["video"], "conversations": turns})
    path = preference_file.with_name("conversations.jsonl")
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


@pytest.fixture(scope="session")
def tiny_omni(tmp_path_factory) -> Path:
    """A `from_pretrained` folder: Qwen2.5-Omni's thinker with random weights, and its processor."""
    import tiny_models

    return tiny_models.qwen2_5_omni(tmp_path_factory.mktemp("tiny_omni"))


@pytest.fixture(scope="session")
def tiny_emotion_llama(tmp_path_factory) -> Path:
    """A `from_pretrained` folder: Emotion-LLaMA, version 1, with random weights, a LoRA among them."""
    import tiny_models

    return tiny_models.emotion_llama(tmp_path_factory.mktemp("tiny_emotion_llama"))


@pytest.fixture(scope="session")
def tiny_base(request, tmp_path_factory) -> Callable[[str], Path]:
    """The harness's name of a model -> a `from_pretrained` folder of its family, made once.

    A family of `avem_train.backbones.families` that has no fixture of its own is made by the function of
    `tiny_models` with its adapter's name, without `_av`.
    """
    import tiny_models

    fixtures = {"avere": "tiny_avere", "qwen2_5_omni_av": "tiny_omni", "emotion_llama": "tiny_emotion_llama"}
    made: dict[str, Path] = {}

    def folder(adapter: str) -> Path:
        if adapter not in made:
            if adapter in fixtures:
                made[adapter] = request.getfixturevalue(fixtures[adapter])
            else:
                make = getattr(tiny_models, adapter.removesuffix("_av"))
                made[adapter] = make(tmp_path_factory.mktemp(adapter))
        return made[adapter]

    return folder
