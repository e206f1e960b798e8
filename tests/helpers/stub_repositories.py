"""Official repositories as far as their workers call them: path in the checkout -> source.

The names, the arguments and their order are the official ones, so a call with others fails; what they do is to note
that they were called.
"""

HEAD = "from stub_things import Thing, note\n"
LIBRARY = "from stub_things import stand_in\nstand_in(__name__)\n"
"""A library that the repository imports and no worker's meaning hangs on."""

CONVERSATION = (
    HEAD
    + """
from enum import Enum

class SeparatorStyle(Enum):
    SINGLE, TWO = 1, 2

class Conversation:
    roles, sep, sep2, sep_style = ("USER", "BOT"), "<end>", "</s>", SeparatorStyle.{style}
    def __init__(self):
        self.messages = []
    def copy(self):
        return Conversation()
    def append_message(self, role, message):
        self.messages.append((role, message))
    def get_prompt(self{modality}):
        note("get_prompt"{passed})
        return "".join(role + ": " + (message or "") for role, message in self.messages)

conv_templates = {{"{name}": Conversation()}}
"""
)
TOKENIZER = """
class Tokenizer:
    def __len__(self):
        return 32000
    def batch_decode(self, ids, skip_special_tokens):
        note("batch_decode", skip_special_tokens=skip_special_tokens)
        return ["{text}"]
    def decode(self, ids, skip_special_tokens):
        return "{text}"
"""


def conversation(name, style="SINGLE", modality=False):
    return CONVERSATION.format(
        name=name, style=style, modality=", modality" if modality else "", passed=", modality" if modality else ""
    )


VIDEOLLAMA2 = {
    "torch.py": LIBRARY,
    "videollama2/__init__.py": HEAD
    + """
def model_init(model_path=None):
    note("model_init", model_path)
    def video(path, va=False):
        note("video", path, va=va)
        return Thing("pixels")
    def audio(path):
        note("audio", path)
        return Thing("banks")
    return Thing("model"), {"video": video, "audio": audio}, Thing("tokenizer")

def mm_infer(image_or_video, instruct, model, tokenizer, modal="video", **kwargs):
    note("mm_infer", image_or_video, instruct, model=model, modal=modal, **kwargs)
    return "B"
""",
    "videollama2/mm_utils.py": HEAD
    + """
def load_audio_from_video(file, sr=16000):
    note("load_audio_from_video", file)

def process_audio_from_video(audio_path, clip_duration):
    note("process_audio_from_video", audio_path)
    return Thing("pieces")
""",
    "videollama2/utils.py": "def disable_torch_init():\n    pass\n",
}

OLA = {
    **{f"{name}.py": LIBRARY for name in ("torch", "whisper", "decord", "numpy", "PIL")},
    "librosa.py": HEAD + "def load(path, sr):\n    note('librosa.load', path, sr=sr)\n    return Thing('wave'), sr\n",
    "ola/__init__.py": "",
    "ola/model/__init__.py": "import os\nassert os.environ['VIDEO_MAXRES'] == '480'\n",
    "ola/model/builder.py": HEAD
    + TOKENIZER.format(text=" B <end>")
    + """
class Network(Thing):
    def to(self, device):
        return self
    def eval(self):
        return self
    def bfloat16(self):
        return self
    def generate(self, inputs=None, speech=None, speech_lengths=None, speech_chunks=None, speech_wav=None,
                 images=None, images_highres=None, image_sizes=None, modalities=("image",), **kwargs):
        note("generate", inputs=inputs, speech=speech, images=images, images_highres=images_highres,
             modalities=modalities, **kwargs)

def load_pretrained_model(model_path, model_base):
    note("load_pretrained_model", model_path, model_base)
    return Tokenizer(), Network("model"), Thing("image_processor"), 16384
""",
    "ola/conversation.py": conversation("qwen_1_5"),
    "ola/constants.py": "DEFAULT_IMAGE_TOKEN, DEFAULT_SPEECH_TOKEN = '<image>', '<speech>'\n"
    "IMAGE_TOKEN_INDEX, SPEECH_TOKEN_INDEX = -200, -300\n",
    "ola/mm_utils.py": HEAD
    + """
def process_anyres_video(image, processor):
    return Thing("frame")

def KeywordsStoppingCriteria(keywords, tokenizer, input_ids):
    note("stop", keywords)
""",
    "ola/datasets/__init__.py": "",
    "ola/datasets/preprocess.py": HEAD
    + "".join(
        f'''
def {name}(prompt, tokenizer, {index}, return_tensors=None):
    note("{name}", prompt, {index})
    return Thing("ids")
'''
        for name, index in (
            ("tokenizer_image_token", "image_token_index"),
            ("tokenizer_speech_token", "speech_token_index"),
            ("tokenizer_speech_image_token", "image_token_index"),
        )
    ),
}

VITA = {
    "torch.py": HEAD
    + '''
import sys
sys.modules[__name__] = torch = Thing("torch")

class Stack(Thing):
    """As many frames as it was made of."""
    def __init__(self, frames):
        super().__init__("frames")
        self.count = len(frames)
    def __len__(self):
        return self.count
    def half(self):
        return self
    cuda = half

torch.stack = Stack
''',
    "decord.py": "import numpy\nfrom stub_things import note, Thing\n"
    + """
cpu = Thing("cpu")

class VideoReader:
    def __init__(self, path, ctx):
        self.path = path
    def __len__(self):
        return 24
    def get_avg_fps(self):
        return 12.0
    def get_batch(self, numbers):
        note("get_batch", self.path, numbers)
        frames = numpy.zeros((len(numbers), 20, 30, 3), "uint8")
        return type("Batch", (), {"asnumpy": lambda self: frames})()
""",
    "vita/__init__.py": "",
    "vita/constants.py": "DEFAULT_AUDIO_TOKEN, DEFAULT_IMAGE_TOKEN, IMAGE_TOKEN_INDEX = '<audio>', '<image>', -200\n"
    "MAX_IMAGE_LENGTH = 16\n",
    "vita/conversation.py": conversation("qwen2p5_instruct", modality=True),
    "vita/model/__init__.py": "",
    "vita/model/builder.py": HEAD
    + TOKENIZER.format(text="\\u261e B<end>")
    + """
class Pixels:
    image_mean = (0.5, 0.5, 0.5)
    def preprocess(self, image, return_tensors):
        note("preprocess", image.size)
        return {"pixel_values": [Thing("frame")]}

class Tower:
    is_loaded, image_processor = False, Pixels()
    def load_model(self):
        note("load_model")

class Ears:
    def process(self, path):
        note("process", path)
        return Thing("banks"), 7

class Network(Thing):
    config = type("Config", (), {"image_aspect_ratio": "pad"})
    def get_vision_tower(self):
        return Tower()
    def get_audio_encoder(self):
        encoder = Thing("encoder")
        encoder.audio_processor = Ears()
        return encoder
    def generate(self, inputs, images=None, audios=None, shared_v_pid_stride=None, **kwargs):
        note("generate", images=images, audios=audios, **kwargs)
        return Thing("output")

def load_pretrained_model(model_path, model_base, model_name, model_type):
    note("load_pretrained_model", model_path, model_base, model_name, model_type)
    return Tokenizer(), Network("model"), None, 0
""",
    "vita/util/__init__.py": "",
    "vita/util/utils.py": "def disable_torch_init():\n    pass\n",
    "vita/util/mm_utils.py": HEAD
    + """
def get_model_name_from_path(path):
    return "VITA-1.5"

def KeywordsStoppingCriteria(keywords, tokenizer, input_ids):
    note("stop", keywords)

def tokenizer_image_token(prompt, tokenizer, image_token_index, return_tensors=None):
    note("tokenizer_image_token", prompt)
    return Thing("ids")

def tokenizer_image_audio_token(prompt, tokenizer, image_token_index, return_tensors=None):
    note("tokenizer_image_audio_token", prompt)
    return Thing("ids")
""",
}

SAMPLES = '''
class Llama(Thing):
    """Takes what the repository hard-codes; what arrives after the worker's hand is noted."""
    def generate(self, **kwargs):
        note("llama.generate", **kwargs)
'''

PANDAGPT = {
    "torch.py": LIBRARY,
    "code/model/__init__.py": "",
    "code/model/openllama.py": HEAD
    + SAMPLES
    + """
class OpenLLAMAPEFTModel:
    def __init__(self, **args):
        note("OpenLLAMAPEFTModel", **args)
        self.llama_model = Llama("llama")
    def load_state_dict(self, state, strict=True):
        note("load_state_dict", state, strict=strict)
    def eval(self):
        return self
    half = cuda = eval
    def generate(self, inputs):
        note("generate", **inputs)
        assert inputs["modality_embeds"] == []
        self.llama_model.generate(max_new_tokens=inputs["max_tgt_len"], do_sample=True, top_p=inputs["top_p"],
                                  temperature=inputs["temperature"])
        return " B"
""",
}

REGISTRY = (
    HEAD
    + SAMPLES
    + """
class Network(Thing):
    def __init__(self, name):
        super().__init__(name)
        self.llama_model = Llama("llama")
    def to(self, device):
        return self
    def eval(self):
        return self

class Arch:
    @staticmethod
    def from_config(config):
        return Network("network")

class Look:
    @staticmethod
    def from_config(config):
        return Thing("processor")

class registry:
    @staticmethod
    def get_model_class(arch):
        return Arch
    @staticmethod
    def get_processor_class(name):
        return Look
"""
)
CONFIG = (
    HEAD
    + """
class Config:
    def __init__(self, args):
        path = args.cfg_path
        note("Config", path if isinstance(path, str) else path.read(), args.options)
        self.model_cfg, self.datasets_cfg = Thing("model_cfg"), Thing("datasets_cfg")
"""
)


def lavis(package):
    """The modules that Video-LLaMA and Emotion-LLaMA share with the frameworks they grew from."""
    parts = ("", "common/", "conversation/", "datasets/", "datasets/builders/", "models/", "processors/", "runners/")
    empty = {f"{package}/{part}__init__.py": "" for part in (*parts, "tasks/")}
    return {
        "torch.py": LIBRARY,
        **empty,
        f"{package}/common/config.py": CONFIG,
        f"{package}/common/registry.py": REGISTRY,
    }


VIDEO_LLAMA = {
    **lavis("video_llama"),
    "eval_configs/video_llama_eval_withaudio.yaml": 'model:\n  llama_model: "7b/" or "13b/"\n  ckpt: "path"\n',
    "video_llama/conversation/conversation_video.py": HEAD
    + """
class State:
    def __init__(self):
        self.system, self.messages = "before", []
    def copy(self):
        return State()

default_conversation = State()

def load_and_transform_audio_data(paths, device, clips_per_video):
    note("load_and_transform_audio_data", paths, device, clips_per_video=clips_per_video)
    return Thing("pieces")

class Chat:
    def __init__(self, model, vis_processor, device="cuda:0"):
        self.model = model
    def upload_video(self, video_path, conv, img_list):
        try:
            sound = load_and_transform_audio_data([video_path], "cpu", clips_per_video=8)
        except Exception:
            sound = "no audio is found"
        note("upload_video", video_path, conv.system, sound)
        img_list += [1, 2]
    def upload_video_without_audio(self, video_path, conv, img_list):
        note("upload_video_without_audio", video_path)
        img_list += [1]
    def ask(self, text, conv):
        conv.messages.append(text)
    def answer(self, conv, img_list, max_new_tokens=300, num_beams=1, temperature=1.0, max_length=2000):
        note("answer", conv.messages, len(img_list), num_beams=num_beams)
        self.model.llama_model.generate(max_new_tokens=max_new_tokens, do_sample=True, temperature=temperature)
        return "B", None
""",
}

EMOTION_LLAMA = {
    **lavis("minigpt4"),
    "checkpoints/transformer/chinese-hubert-large/config.json": "{}",
    "soundfile.py": "def read(path):\n    return 'samples', 16000\n",
    "transformers.py": HEAD
    + """
class HubertModel:
    @classmethod
    def from_pretrained(cls, path):
        note("HubertModel", path)

class Wav2Vec2FeatureExtractor:
    @classmethod
    def from_pretrained(cls, path):
        note("Wav2Vec2FeatureExtractor", path)
""",
    "minigpt4/conversation/conversation.py": HEAD
    + """
from enum import Enum
from transformers import Wav2Vec2FeatureExtractor

class SeparatorStyle(Enum):
    SINGLE, TWO = 1, 2

class Conversation:
    def __init__(self, system, roles, messages, offset, sep_style, sep):
        self.roles, self.messages = roles, messages
    def append_message(self, role, message):
        self.messages.append([role, message])

def extract_audio_from_video(video_path):
    raise AssertionError("this would write audio.wav into the working directory")

class Chat:
    def __init__(self, model, vis_processor, device="cuda:0"):
        self.model = model
    def ask(self, text, conv):
        conv.append_message(conv.roles[0], text)
    def encode_img(self, img_list):
        from transformers import HubertModel
        path = img_list.pop(0)
        samples, rate = extract_audio_from_video(path)
        Wav2Vec2FeatureExtractor.from_pretrained("checkpoints/transformer/chinese-hubert-large")
        HubertModel.from_pretrained("checkpoints/transformer/chinese-hubert-large")
        note("encode_img", path, samples, rate)
        img_list.append(1)
    def answer(self, conv, img_list, max_new_tokens=300, temperature=1.0, max_length=2000):
        note("answer", conv.messages, len(img_list))
        self.model.llama_model.generate(max_new_tokens=max_new_tokens, do_sample=True, temperature=temperature)
        return "B", None
""",
}

ONELLM = {
    "torch.py": HEAD
    + """
import sys
sys.modules[__name__] = torch = Thing("torch")

def cat(parts, dim):
    note("cat", parts, dim)
    return Thing("joined")

torch.cat = cat
""",
    "fairscale/__init__.py": "",
    "fairscale/nn/__init__.py": "",
    "fairscale/nn/model_parallel/__init__.py": "from stub_things import Thing\ninitialize = Thing('initialize')\n",
    "util/__init__.py": "",
    "util/misc.py": HEAD + "def default_tensor_type(dtype, device):\n    return Thing('type')\n",
    "model/__init__.py": "",
    "model/meta.py": HEAD
    + """
class Language(Thing):
    def __init__(self):
        super().__init__("llma")
        self.start_tag = {"video": "start of video", "audio": "start of audio"}
        self.end_tag = {"video": "end of video", "audio": "end of audio"}
    def encode_image(self, media, modal="image"):
        note("encode_image", media, modal)
        return "tokens of " + modal

class MetaModel:
    def __init__(self, llama_type, llama_config, llama_ckpt_dir=None, tokenizer_path=None):
        note("MetaModel", llama_type, llama_config, llama_ckpt_dir, tokenizer_path)
        self.llma = Language()
    def load_state_dict(self, state, strict=True):
        note("load_state_dict", strict=strict)
    def half(self):
        return self
    cuda = eval = half
    def generate(self, prompts, images, max_gen_len, temperature=0.8, top_p=0.95, modal=["image"]):
        note("generate", prompts, max_gen_len, temperature=temperature, modal=modal)
        tokens = self.llma.encode_image(images, modal[0])
        note("prefix", self.llma.start_tag[modal[0]], tokens, self.llma.end_tag[modal[0]])
        return [prompts[0] + " B\\n### Human: and"]
""",
    "data/__init__.py": "",
    "data/conversation_lib.py": conversation("v1"),
    "data/video_utils.py": HEAD
    + """
def load_and_transform_video_data(video_file, video_path, clip_duration=2, clips_per_video=5):
    note("load_and_transform_video_data", video_file, video_path, clip_duration, clips_per_video)
    return Thing("crops")
""",
    "data/data_utils.py": HEAD
    + """
def make_audio_features(wav_name, mel_bins=128):
    note("make_audio_features", wav_name, mel_bins)
    return Thing("banks")
""",
}

KIMI_AUDIO = {
    "kimia_infer/__init__.py": "",
    "kimia_infer/api/__init__.py": "",
    "kimia_infer/api/kimia.py": HEAD
    + """
class KimiAudio:
    def __init__(self, model_path, load_detokenizer=True):
        note("KimiAudio", model_path, load_detokenizer=load_detokenizer)
    def generate(self, chats, output_type="text", audio_temperature=0.0, audio_top_k=5, text_temperature=0.0,
                 text_top_k=5, max_new_tokens=-1):
        note("generate", chats, output_type=output_type, text_temperature=text_temperature,
             max_new_tokens=max_new_tokens)
        return None, " B"
""",
}

AVERE_OFFICIAL = {
    "torch.py": LIBRARY,
    "avere/__init__.py": "",
    "avere/constants.py": "AUDIO_TOKEN_INDEX, DEFAULT_AUDIO_TOKEN = -300, '<audio>'\n"
    "IMAGE_TOKEN_INDEX, DEFAULT_IMAGE_TOKEN = -200, '<image>'\n",
    "avere/conversation.py": conversation("llava_v1", style="TWO"),
    "avere/utils.py": "def disable_torch_init():\n    pass\n",
    "avere/mm_utils.py": HEAD
    + """
def get_model_name_from_path(path):
    return "AVERE-7B"

def KeywordsStoppingCriteria(keywords, tokenizer, input_ids):
    note("stop", keywords)

def tokenizer_image_token(prompt, tokenizer, image_token_index, return_tensors=None):
    note("tokenizer_image_token", prompt, image_token_index)
    return Thing("ids")

def tokenizer_audio_token(prompt, tokenizer, audio_token_index, return_tensors=None):
    note("tokenizer_audio_token", prompt, audio_token_index)
    return Thing("ids")

def tokenizer_audio_and_image_token(prompt, tokenizer, return_tensors=None):
    note("tokenizer_audio_and_image_token", prompt)
    return Thing("ids")
""",
    "avere/model/__init__.py": "",
    "avere/model/builder.py": HEAD
    + "import torch\n"
    + TOKENIZER.format(text=" B</s>")
    + """
class RandomHorizontalFlipVideo:
    pass

class CenterCropVideo:
    pass

class See:
    transform = type("Compose", (), {})()
    transform.transforms = [CenterCropVideo(), RandomHorizontalFlipVideo()]
    def __call__(self, paths, return_tensors):
        note("see", paths, [type(step).__name__ for step in self.transform.transforms])
        return {"pixel_values": [Thing("pixels")]}

def hear(paths, return_tensors):
    note("hear", paths)
    return {"spectrogram": [Thing("spectrogram")]}

class Network(Thing):
    def get_video_tower(self):
        return type("Tower", (), {"config": type("Config", (), {"num_frames": 8})})
    def generate(self, input_ids, images=None, audios=None, **kwargs):
        note("generate", images=images, audios=audios, **kwargs)
        return Thing("output")

def load_pretrained_model(model_path, model_base, model_name, load_8bit=False, load_4bit=False, device_map="auto",
                          device="cuda", **kwargs):
    note("load_pretrained_model", model_path, model_base, model_name, load_8bit, load_4bit, device=device, **kwargs)
    return Tokenizer(), Network("model"), {"video": See(), "speech": hear}, 2048
""",
}
