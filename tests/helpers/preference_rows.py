"""Questions and descriptions about a clip whose cues are known, and replies that fit them."""

import json

from avem_train.curation.data.rows import Description, Filtered, Guessed

CUES = [
    {"modality": "video", "kind": "face", "text": "a broad smile", "relevant": True},
    {"modality": "video", "kind": "clothes", "text": "a yellow sweater", "relevant": False},
    {"modality": "audio", "kind": "voice", "text": "a bright voice", "relevant": True},
    {"modality": "audio", "kind": "music", "text": "slow piano music", "relevant": False},
]
CLIP = {"id": "clip0", "video": "0.mp4", "emotion": "happiness"}
CAPTIONS = {
    "caption_video": "A person in a yellow sweater smiles broadly.",
    "caption_audio": "A bright voice speaks over slow piano music.",
}
SPURIOUS = {"cue": "a yellow sweater", "text": "The yellow sweater shows the happiness of the person."}
ABSENT = {"cue": "raised arms", "text": "The raised arms show the happiness of the person."}
REPLIES = {
    "EmotionDescription": {"description": "The person is full of happiness, which a broad smile shows."},
    "AnswerVariations": {"video_relevant": SPURIOUS, "emotion_relevant": ABSENT},
    "DescriptionVariations": {
        "video_relevant": SPURIOUS | {"text": "The person is full of happiness, which a yellow sweater shows."},
        "emotion_relevant": ABSENT | {"text": "The person is full of happiness, which the raised arms show."},
    },
    "VerdictVariations": {
        "chosen": "Yes, the broad smile suggests happiness.",
        "video_relevant": SPURIOUS | {"text": "No, the yellow sweater suggests something else."},
        "emotion_relevant": ABSENT | {"text": "No, the raised arms suggest something else."},
    },
    "IrrelevantVariation": {"cue": "a barking dog", "text": "A barking dog frightens the person."},
    "CueMatches": {"matches": []},
}
"""Form of reply -> one that fits."""


def guessed(**more):
    """A clip whose emotion both captions give."""
    row = CLIP | CAPTIONS | {"transcript": "", "cues": CUES, "guess_video": "happiness", "guess_audio": "happiness"}
    return Guessed.model_validate(row | {"explained_by": ["video", "audio"]} | more).model_dump()


def basic(**more):
    """A Basic question about the picture."""
    options = ["The smile shows happiness.", "The sweater shows it.", "The arms show it.", "The tears show it."]
    row = CLIP | CAPTIONS | {"id": "clip0_basic", "clip": "clip0", "task": "reasoning_basic_video", "cues": CUES}
    row |= {"modality": "video", "question": "What explains how the person feels?", "choices": options, "answer": 0}
    row |= {"roles": ["right", "irrelevant", "hallucinated", "hallucinated"], "cue": "a broad smile", "guessed_by": []}
    row["choices"][0] = "The broad smile shows the happiness of the person."
    return Filtered.model_validate(row | more).model_dump()


def stress(**more):
    """A stress question about a cue of the picture, whose answer is yes."""
    question = "Does the sight of a broad smile suggest happiness of the character?"
    row = {"id": "clip0_stress", "task": "reasoning_stress_video", "subtask": "no_hallucination", "question": question}
    return basic(**(row | {"choices": ["No", "Yes"], "roles": ["no", "yes"], "answer": 1} | more))


def agreement(**more):
    """An agreement question whose answer is yes."""
    question = "Do the audio and video modalities align for the expression of happiness of the person in the video?"
    row = {"id": "clip0_agreement", "task": "modality_agreement", "subtask": "", "cue": "", "question": question}
    return stress(**(row | {"modality": "audiovisual"} | more))


def description(**more):
    """A description of all of the clip."""
    row = CLIP | CAPTIONS | {"id": "clip0_description", "clip": "clip0", "modality": "audiovisual", "cues": CUES}
    row |= {"prompt": "Describe the emotion.", "description": REPLIES["EmotionDescription"]["description"]}
    return Description.model_validate(row | more).model_dump()


def written(path, rows):
    """Write rows as a stage would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
