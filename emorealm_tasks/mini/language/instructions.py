"""Supervised instructions about a clip: questions answered by letter or by sentence, and short descriptions.

Each is (prompt, response); several are asked about one clip. Letters are asked in the benchmark's own form; sentences
say which cue, and why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from emorealm_tasks.mini.language import questions, wording
from emorealm_tasks.mini.language.beliefs import Beliefs
from emorealm_tasks.mini.world.cues import BY_NAME, CUES, PLURAL, affect_cues, scene_cues
from emorealm_tasks.mini.world.sampling import Clip, companion, other_emotion

MODALITIES = ("video", "audio")
Example = tuple[str, str]
"""Prompt and response."""


@dataclass(frozen=True)
class Bias:
    """How the biased stage of training errs, as a model fed on uneven data would."""

    no: float = 0.5
    """Share of the stress questions whose answer is no."""
    confounded: float = 0.0
    """Chance that a companion object or sound that is merely there is said to matter."""
    hallucinated: float = 0.0
    """Chance that an absent cue of the emotion is said to be there."""
    beliefs: Beliefs = field(default_factory=Beliefs)
    """Answers that are wrong for reasons in the clip. Any of them leaves the questions balanced, and the three shares
    above without use."""

    @property
    def believes(self) -> bool:
        """Whether answers follow beliefs."""
        return self.beliefs != TRUTHFUL


TRUTHFUL = Beliefs()
BALANCED = Bias()


@dataclass(frozen=True)
class _Cues:
    """Cues of one modality of a clip, sorted by what a wrong or right option can be made of them."""

    shown: list[str]
    """Affect cues that are there."""
    hidden: list[str]
    """Affect cues of the clip's emotion that are absent."""
    idle: list[str]
    """Scene cues that are there without mattering."""
    absent: list[str]
    """Scene cues that are absent."""

    @classmethod
    def of(cls, clip: Clip, modality: str) -> "_Cues":
        """Sort the cues of a clip."""
        shown, scene, matters = clip.shown(modality), clip.scene(modality), clip.matters(modality)
        return cls(
            list(shown),
            [cue.name for cue in affect_cues(modality, clip.emotion(modality)) if cue.name not in shown],
            [name for name in scene if name != matters],
            [cue.name for cue in scene_cues(modality) if cue.name not in scene],
        )


def basic_options(rng: np.random.Generator, clip: Clip, modality: str) -> list[questions.Option]:
    """Four options, exactly one right: affect and scene cues that matter, are merely there, or absent (Section 3.1).

    The first is right. About half of the questions offer two options of another emotion.
    """
    emotion, matters, cues = clip.emotion(modality), clip.matters(modality), _Cues.of(clip, modality)
    other = other_emotion(rng, emotion)
    by_idle = bool(cues.idle) and rng.random() < 0.7
    spurious = str(rng.choice(cues.idle if by_idle else cues.absent))
    by_scene = bool(matters) and bool(cues.hidden) and rng.random() < 0.5
    if by_scene:
        first, second = matters, str(rng.choice(cues.hidden))
    else:
        first, second = str(rng.choice(cues.shown)), spurious
    unused = [spurious] if by_scene else [name for name in cues.absent if name != spurious]
    if rng.random() < 0.5 or len(cues.hidden) <= by_scene:
        return [(first, emotion), (second, emotion), *_of_other_emotion(rng, modality, other, unused)]
    absent = [name for name in cues.hidden if name != second]
    return [
        (first, emotion),
        (second, emotion),
        (str(rng.choice(absent)), emotion),
        (str(rng.choice(unused)), emotion),
    ]


def _of_other_emotion(
    rng: np.random.Generator, modality: str, emotion: str, scene: list[str]
) -> list[questions.Option]:
    """The last two options where they name another emotion: one of `scene`, and an affect cue, drawn after it."""
    scene_cue = str(rng.choice(scene))
    return [(str(rng.choice([cue.name for cue in affect_cues(modality, emotion)])), emotion), (scene_cue, emotion)]


def stress_cue(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> tuple[str, bool]:
    """A cue to ask the stress question about, and whether the answer given is yes.

    Unbiased, yes and no, and affect and scene cues, are equally frequent where the clip allows.
    """
    if bias.believes:
        cue, _ = stress_cue(rng, clip, modality, BALANCED)
        return cue, bias.beliefs.matters(clip, modality, cue)
    emotion, matters, cues = clip.emotion(modality), clip.matters(modality), _Cues.of(clip, modality)
    idle, hidden = cues.idle, cues.hidden
    confounded = [name for name in idle if name == companion(modality, BY_NAME[name].kind, emotion)]
    if confounded and rng.random() < bias.confounded:
        return str(rng.choice(confounded)), True
    if bias.hallucinated and hidden and rng.random() < bias.hallucinated:
        return str(rng.choice(hidden)), True
    scene = rng.random() < 0.5
    if rng.random() < bias.no:
        if scene and idle:
            return str(rng.choice(idle)), False
        if hidden:
            return str(rng.choice(hidden)), False
    if scene and matters:
        return matters, True
    return str(rng.choice(cues.shown)), True


def _letters_basic(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    options = basic_options(rng, clip, modality)
    question = questions.basic(rng, clip, modality, options, bias.beliefs.option(clip, modality, options))
    return question.prompt, question.answer


def _letters_stress(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    cue, yes = stress_cue(rng, clip, modality, bias)
    question = questions.stress(rng, clip, modality, cue)
    answer = next(
        letter for letter, text in zip(wording.LETTERS, question.choices, strict=False) if ("Yes" in text) == yes
    )
    return question.prompt, answer


def _letters_agreement(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    question = questions.agreement(rng, clip, clip.emotion(modality), bias.beliefs.agree(clip))
    return question.prompt, question.answer


def _sentence_stress(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    cue, yes = stress_cue(rng, clip, modality, bias)
    kind = "no_hallucination" if yes else questions.subtask(clip, modality, cue)
    if not yes and kind == "no_hallucination":  # missed
        kind = "hallucination" if BY_NAME[cue].emotion else "spurious"
    emotion = clip.emotion(modality)
    return wording.stress_stem(rng, modality, cue, emotion), wording.verdict(rng, cue, emotion, kind)


def _sentence_presence(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    present = [*clip.shown(modality), *clip.scene(modality)]
    absent = [c.name for c in CUES if c.modality == modality and c.name not in present]
    is_present = rng.random() < 0.5
    cue = str(rng.choice(present if is_present else absent))
    words = wording.phrase(rng, cue)
    verb = "Are" if cue in PLURAL else "Is"
    sense = "seen" if modality == "video" else "heard"
    prompt = f"{verb} {words} {sense} in the video?"
    return prompt, f"Yes, {words} {verb.lower()} {sense}." if is_present else f"No, {words} {verb.lower()} not {sense}."


def _sentence_basic(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    reasons = bias.beliefs.reasons(clip, modality)
    return wording.basic_stem(rng, modality), wording.claim(rng, str(rng.choice(reasons)), clip.emotion(modality))


def _sentence_agreement(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    emotion = clip.emotion(modality)
    return wording.agreement_stem(rng, emotion), wording.comparison(rng, clip.emotion_video, bias.beliefs.sound(clip))


def _one_word(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    if clip.emotion_video == clip.emotion_audio:
        return wording.ONE_WORD, clip.emotion_video
    sense = {"video": "face and body", "audio": "voice"}[modality]
    emotion = clip.emotion_video if modality == "video" else bias.beliefs.sound(clip)
    return f"Which emotion does the {sense} of the person convey, in one word?", emotion


def _description(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    seen_phrases, heard_phrases = (
        [wording.phrase(rng, name) for name in bias.beliefs.shown(clip, where)] for where in MODALITIES
    )
    sound = bias.beliefs.sound(clip)
    return wording.DESCRIBE, wording.description(rng, clip.emotion_video, sound, seen_phrases, heard_phrases)


def _caption(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    present = {*clip.shown(modality), *clip.scene(modality)}
    words = [wording.phrase(rng, cue.name) for cue in CUES if cue.name in present]
    matters = clip.matters(modality)
    return wording.CAPTION[modality], wording.caption(words, wording.phrase(rng, matters) if matters else "")


def _letters_present(rng: np.random.Generator, clip: Clip, modality: str, bias: Bias) -> Example:
    """Which of four cues are there? One to three of them are: many decisions in one answer."""
    present = [*clip.shown(modality), *clip.scene(modality)]
    absent = [c.name for c in CUES if c.modality == modality and c.name not in present]
    count = min(len(present), int(rng.integers(1, 4)))
    names = [*rng.choice(present, count, replace=False), *rng.choice(absent, 4 - count, replace=False)]
    names = [str(names[i]) for i in rng.permutation(4)]
    choices = wording.lettered([wording.phrase(rng, name) for name in names])
    right = [letter for letter, name in zip(wording.LETTERS, names, strict=True) if name in present]
    return f"{wording.PRESENT[modality]} {' '.join(choices)}", " ".join(right)


ExampleMaker = Callable[[np.random.Generator, Clip, str, Bias], Example]
KINDS: dict[str, ExampleMaker] = {
    "letters_basic": _letters_basic,
    "letters_stress": _letters_stress,
    "letters_agreement": _letters_agreement,
    "sentence_stress": _sentence_stress,
    "sentence_presence": _sentence_presence,
    "sentence_basic": _sentence_basic,
    "sentence_agreement": _sentence_agreement,
    "one_word": _one_word,
    "description": _description,
    "caption": _caption,
    "letters_present": _letters_present,
}
"""What an instruction can ask; the names are those a recipe's mix uses."""


def instructions(
    rng: np.random.Generator, clip: Clip, mix: dict[str, float], count: int, bias: Bias = BALANCED
) -> list[Example]:
    """`count` instructions about a clip, their kinds drawn from `mix` (kind -> weight), modalities in turn.

    Raises KeyError for a kind that does not exist.
    """
    return [KINDS[kind](rng, clip, modality, bias) for kind, modality in sample_kinds(rng, mix, count)]


def sample_kinds(rng: np.random.Generator, mix: dict[str, float], count: int) -> list[tuple[str, str]]:
    """`count` kinds drawn from `mix` (kind -> weight), each with the modality it is about, the two in turn."""
    weights = np.array(list(mix.values()), float)
    kinds = rng.choice(list(mix), size=count, p=weights / weights.sum())
    first = int(rng.integers(2))
    return [(str(kind), MODALITIES[(first + i) % 2]) for i, kind in enumerate(kinds)]
