"""What can be seen and heard in the mini world: the one table of cues, their meaning and their words.

Two families. *Affect cues* support exactly one emotion and are present or absent: a smile, a sob. *Scene cues*
(objects, clothes, background sounds) support none by themselves; in some clips the person reacts to one, and only
there does it matter. So whether a scene cue is relevant cannot be known from its name, and an affect cue is never
merely there.

Each affect cue occupies a slot of the face, the body or the voice. The three cues of an emotion and a modality occupy
three different slots, so any subset of them can be shown together.
"""

from dataclasses import dataclass

FEELINGS = {
    "happiness": ("happiness", "joy"),
    "sadness": ("sadness", "sorrow"),
    "neutral": ("calmness", "neutrality"),
    "anger": ("anger", "rage"),
    "surprise": ("surprise", "astonishment"),
    "disgust": ("disgust", "revulsion"),
    "fear": ("fear", "dread"),
}
"""Nouns a question may use for each emotion."""


@dataclass(frozen=True)
class Cue:
    """One thing that can be seen or heard."""

    name: str
    """Identifier, unique in the world."""
    modality: str
    """Either "video" or "audio"."""
    kind: str
    """One of "face", "body", "voice", "nonspeech", "object", "clothes" or "background"."""
    emotion: str
    """The emotion it supports, "" for scene cues."""
    slot: str
    """What it occupies; a clip shows at most one cue of a slot."""
    phrases: tuple[str, ...]
    """Noun phrases for questions and answers."""


def _affect(modality: str, emotion: str, *rows: tuple[str, str, str, tuple[str, ...]]) -> list[Cue]:
    return [Cue(name, modality, kind, emotion, slot, phrases) for name, kind, slot, phrases in rows]


def _scene(modality: str, kind: str, slot: str, **phrases: tuple[str, ...]) -> list[Cue]:
    return [Cue(name, modality, kind, "", slot, words) for name, words in phrases.items()]


CUES: tuple[Cue, ...] = tuple(
    _affect(
        "video",
        "happiness",
        ("smile", "face", "mouth", ("a broad smile", "a wide grin")),
        ("crinkled_eyes", "face", "eyes", ("crinkled eyes", "laughing eyes")),
        ("clapping", "body", "hands", ("clapping hands", "applauding hands")),
    )
    + _affect(
        "video",
        "sadness",
        ("tears", "face", "tears", ("tears on the cheeks", "falling tears")),
        ("downturned_mouth", "face", "mouth", ("a downturned mouth", "a drooping mouth")),
        ("slumped_shoulders", "body", "posture", ("slumped shoulders", "sagging shoulders")),
    )
    + _affect(
        "video",
        "neutral",
        ("relaxed_mouth", "face", "mouth", ("a relaxed mouth", "an even mouth")),
        ("steady_gaze", "face", "eyes", ("half-closed eyes", "resting eyelids")),
        ("folded_hands", "body", "hands", ("folded hands", "resting hands")),
    )
    + _affect(
        "video",
        "anger",
        ("furrowed_brows", "face", "brows", ("furrowed brows", "lowered brows")),
        ("bared_teeth", "face", "mouth", ("bared teeth", "gritted teeth")),
        ("clenched_fists", "body", "hands", ("clenched fists", "raised fists")),
    )
    + _affect(
        "video",
        "surprise",
        ("raised_brows", "face", "brows", ("raised brows", "lifted brows")),
        ("open_mouth", "face", "mouth", ("a round open mouth", "a dropped jaw")),
        ("hands_on_cheeks", "body", "hands", ("hands on the cheeks", "palms against the face")),
    )
    + _affect(
        "video",
        "disgust",
        ("wrinkled_nose", "face", "nose", ("a wrinkled nose", "a scrunched nose")),
        ("tongue_out", "face", "mouth", ("a tongue stuck out", "a protruding tongue")),
        ("leaning_away", "body", "posture", ("a body leaning away", "a recoiling body")),
    )
    + _affect(
        "video",
        "fear",
        ("wide_eyes", "face", "eyes", ("wide eyes", "staring eyes")),
        ("quivering_lips", "face", "mouth", ("quivering lips", "trembling lips")),
        ("shielding_arms", "body", "hands", ("shielding arms", "arms held in front")),
    )
    + _affect(
        "audio",
        "happiness",
        ("laughter", "nonspeech", "event", ("laughter", "chuckling")),
        ("bright_voice", "voice", "pitch", ("a bright voice", "a lively melody of the voice")),
        ("quick_speech", "voice", "tempo", ("quick speech", "rapid speech")),
    )
    + _affect(
        "audio",
        "sadness",
        ("sobbing", "nonspeech", "event", ("sobbing", "weeping")),
        ("falling_voice", "voice", "pitch", ("a falling voice", "a sinking voice")),
        ("slow_speech", "voice", "tempo", ("slow speech", "dragging speech")),
    )
    + _affect(
        "audio",
        "neutral",
        ("hum", "nonspeech", "event", ("a calm hum", "soft humming")),
        ("even_voice", "voice", "pitch", ("an even voice", "a flat voice")),
        ("quiet_breathing", "nonspeech", "breath", ("quiet breathing", "calm breathing")),
    )
    + _affect(
        "audio",
        "anger",
        ("growl", "nonspeech", "event", ("a growl", "snarling")),
        ("shouting", "voice", "loudness", ("a shouting voice", "a loud voice")),
        ("clipped_speech", "voice", "tempo", ("clipped speech", "staccato speech")),
    )
    + _affect(
        "audio",
        "surprise",
        ("gasp", "nonspeech", "event", ("a gasp", "a sharp breath")),
        ("rising_voice", "voice", "pitch", ("a rising voice", "a voice sliding up")),
        ("halting_speech", "voice", "tempo", ("halting speech", "broken speech")),
    )
    + _affect(
        "audio",
        "disgust",
        ("groan", "nonspeech", "event", ("a groan", "a drawn groan")),
        ("creaky_voice", "voice", "timbre", ("a creaky voice", "a rasping voice")),
        ("drawn_out_words", "voice", "tempo", ("drawn-out words", "stretched words")),
    )
    + _affect(
        "audio",
        "fear",
        ("scream", "nonspeech", "event", ("a scream", "a shriek")),
        ("trembling_voice", "voice", "tremor", ("a trembling voice", "a shaking voice")),
        ("whisper", "voice", "loudness", ("a whispering voice", "a hushed voice")),
    )
    + _scene(
        "video",
        "object",
        "object",
        balloon=("a red balloon", "the balloon"),
        clock=("a wall clock", "the clock"),
        plant=("a potted plant", "the plant"),
        lamp=("a glowing lamp", "the lamp"),
        cat=("an orange cat", "the cat"),
        painting=("a framed painting", "the painting"),
        mug=("a blue mug", "the mug"),
    )
    + _scene(
        "video",
        "clothes",
        "clothes",
        red_sweater=("a red sweater", "the red top"),
        blue_sweater=("a blue sweater", "the blue top"),
        green_sweater=("a green sweater", "the green top"),
        yellow_sweater=("a yellow sweater", "the yellow top"),
        purple_sweater=("a purple sweater", "the purple top"),
        white_sweater=("a white sweater", "the white top"),
        black_sweater=("a black sweater", "the black top"),
    )
    + _scene(
        "audio",
        "background",
        "background",
        dog_bark=("a barking dog", "the barking"),
        phone_ring=("a ringing phone", "the ringing"),
        door_slam=("a slamming door", "the slamming"),
        sonar_ping=("a sonar ping", "the ping"),
        siren=("a siren", "a wailing siren"),
        birdsong=("birdsong", "chirping"),
        thunder=("thunder", "rolling thunder"),
    )
)

PLURAL = frozenset(
    {
        "crinkled_eyes",
        "clapping",
        "tears",
        "slumped_shoulders",
        "steady_gaze",
        "folded_hands",
        "furrowed_brows",
        "bared_teeth",
        "clenched_fists",
        "raised_brows",
        "hands_on_cheeks",
        "wide_eyes",
        "quivering_lips",
        "shielding_arms",
        "drawn_out_words",
    }
)
"""Cues whose phrases take a plural verb."""

BY_NAME: dict[str, Cue] = {cue.name: cue for cue in CUES}


def affect_cues(modality: str, emotion: str | None = None) -> list[Cue]:
    """Affect cues of a modality ("video" or "audio"), all of them or those of one emotion, in table order."""
    return [c for c in CUES if c.modality == modality and c.emotion and emotion in (None, c.emotion)]


def scene_cues(modality: str, kind: str | None = None) -> list[Cue]:
    """Scene cues of a modality, all of them or those of one kind (object, clothes, background), in table order."""
    return [c for c in CUES if c.modality == modality and not c.emotion and kind in (None, c.kind)]
