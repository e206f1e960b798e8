"""Plans a balanced split: which questions are asked, and clips in which their answers are true.

Questions come first. Each text is asked of several clips, one for every answer it could have: a stress or agreement
question of two clips (yes and no), a Basic question of four (each option is right in one). So whoever reads only the
text can do no better than chance, exactly 50% and 25%. Wording and option order are drawn again each time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.build.sizes import sizes
from emorealm_tasks.mini.language import questions
from emorealm_tasks.mini.language.questions import Option, Question
from emorealm_tasks.mini.world.cues import BY_NAME, affect_cues, scene_cues
from emorealm_tasks.mini.world.sampling import Clip, other_emotion, sample_audio, sample_video

Item = TypeVar("Item")
CHANCE = {
    "reasoning_basic_audio": 25.0,
    "reasoning_basic_video": 25.0,
    "modality_agreement": 50.0,
    "reasoning_stress_audio": 50.0,
    "reasoning_stress_video": 50.0,
}
"""Percent that no text-only reader can exceed in expectation: every text is asked once with each of its answers."""


@dataclass
class Side:
    """One modality's half of a clip, with what must be true in it, and the question that needs it."""

    modality: str
    """video or audio."""
    emotion: str
    """What it conveys."""
    added_cues: tuple[str, ...] = ()
    """Affect cues that must be there."""
    removed_cues: tuple[str, ...] = ()
    """Affect cues that must be absent."""
    scene_names: tuple[str, ...] = ()
    """Scene cues that must be there."""
    absent: tuple[str, ...] = ()
    """Scene cues that must be absent."""
    matters: str = ""
    """The scene cue the person reacts to; "" for none of those named."""
    options: list[Option] = field(default_factory=list)
    """Options of the Basic question; empty for a stress question."""
    cue: str = ""
    """The cue that the stress question asks about."""

    def ask(self, rng: np.random.Generator, clip: Clip) -> Question:
        """The question this half was made for."""
        if self.options:
            return questions.basic(rng, clip, self.modality, self.options)
        return questions.stress(rng, clip, self.modality, self.cue)


def _cycle(rng: np.random.Generator, items: Sequence[Item]) -> Iterator[Item]:
    """The items over and over, each round in a new random order."""
    while True:
        for i in rng.permutation(len(items)):
            yield items[i]


def _scene_pair(rng: np.random.Generator, modality: str) -> tuple[str, str]:
    first, second = rng.choice([cue.name for cue in scene_cues(modality)], size=2, replace=False)
    return str(first), str(second)


def _compatible(first: str, second: str) -> bool:
    """Whether two scene cues can be in one clip: nobody wears two sweaters."""
    return not BY_NAME[first].kind == BY_NAME[second].kind == "clothes"


def _basic_side(rng: np.random.Generator, modality: str, options: list[Option], right: Option) -> Side:
    """Clip half in which `right` alone of the options is borne out.

    One scene cue of the wrong options is there without mattering (spurious), the rest is absent (hallucination).
    """
    cue, emotion = right
    scene = [name for name, _ in options if not BY_NAME[name].emotion]
    wrong = [name for name in scene if name != cue]
    scene_names = [cue] if cue in scene else []
    spurious = str(rng.choice(wrong))
    if rng.random() < 0.7 and all(_compatible(spurious, name) for name in scene_names):
        scene_names.append(spurious)
    return Side(
        modality,
        emotion,
        added_cues=() if cue in scene else (cue,),
        removed_cues=tuple(name for name, _ in options if name not in scene and name != cue),
        scene_names=tuple(scene_names),
        absent=tuple(name for name in scene if name not in scene_names),
        matters=cue if cue in scene else "",
        options=options,
    )


def basic_sides(rng: np.random.Generator, modality: str, count: int) -> Iterator[Side]:
    """Halves for `count` Basic questions (a multiple of 4): two affect cues and two scene cues as options, either all
    of one emotion or half of one and half of another; each option is the right one once.
    """
    cues = _cycle(rng, affect_cues(modality))
    for number in range(count // 4):
        first = next(cues)
        emotion, emotion_of_other = first.emotion, first.emotion if number % 2 else other_emotion(rng, first.emotion)
        second = rng.choice([c.name for c in affect_cues(modality, emotion_of_other) if c.name != first.name])
        scene = _scene_pair(rng, modality)
        options = [
            (first.name, emotion),
            (scene[0], emotion),
            (str(second), emotion_of_other),
            (scene[1], emotion_of_other),
        ]
        for right in options:
            yield _basic_side(rng, modality, options, right)


def stress_sides(rng: np.random.Generator, modality: str, count: int) -> Iterator[Side]:
    """Halves for `count` stress questions (a multiple of 4): half ask of an affect cue (shown, or hallucinated), half
    of a scene cue (reacted to, or spurious).
    """
    affect = _cycle(rng, [(cue.name, cue.emotion) for cue in affect_cues(modality)])
    scene = _cycle(rng, [(cue.name, emotion) for cue in scene_cues(modality) for emotion in EMOTIONS])
    for _ in range(count // 4):
        cue, emotion = next(affect)
        yield Side(modality, emotion, added_cues=(cue,), cue=cue)
        yield Side(modality, emotion, removed_cues=(cue,), cue=cue)
        cue, emotion = next(scene)
        yield Side(modality, emotion, scene_names=(cue,), matters=cue, cue=cue)
        yield Side(modality, emotion, scene_names=(cue,), cue=cue)


def _draw_fields(rng: np.random.Generator, side: Side) -> dict[str, Any]:
    """Fields of `Clip` for one half, drawn until what the side asks for is true."""
    sample = sample_video if side.modality == "video" else sample_audio
    while True:
        fields = sample(rng, side.emotion)
        fields = _placed(rng, fields, side)
        scene = fields["sounds"] if side.modality == "audio" else (fields["left"], fields["right"], fields["clothes"])
        matters = fields["reacts_to" if side.modality == "audio" else "looks_at"]
        free = side.scene_names or side.absent
        if (
            set(side.scene_names) <= set(scene)
            and not set(side.absent) & set(scene)
            and (matters == side.matters or (not side.matters and matters not in free))
        ):
            return fields


def _placed(rng: np.random.Generator, fields: dict[str, Any], side: Side) -> dict[str, Any]:
    """The drawn fields with the demanded affect cues and the cue that matters put in their places."""
    key, focus = ("heard", "reacts_to") if side.modality == "audio" else ("seen", "looks_at")
    possible = [cue.name for cue in affect_cues(side.modality, side.emotion)]
    affect_names = (set(fields[key]) | set(side.added_cues)) - set(side.removed_cues)
    affect_names = affect_names or {str(rng.choice([name for name in possible if name not in side.removed_cues]))}
    fields = {**fields, key: tuple(name for name in possible if name in affect_names)}
    for name in side.scene_names:
        fields = _with_scene_cue(rng, fields, name, side)
    present = fields["sounds"] if side.modality == "audio" else (fields["left"], fields["right"], fields["clothes"])
    if side.matters or fields[focus] not in present:
        fields[focus] = side.matters
    return fields


def _with_scene_cue(rng: np.random.Generator, fields: dict[str, Any], name: str, side: Side) -> dict[str, Any]:
    kind = BY_NAME[name].kind
    if kind == "clothes":
        return {**fields, "clothes": name}
    slots = ["left", "right"]
    if kind == "background":
        sounds = list(fields["sounds"])
        if name not in sounds:
            replaceable = [i for i, sound in enumerate(sounds) if sound not in side.scene_names]
            if len(sounds) < 2 and rng.random() < 0.5:
                sounds.insert(int(rng.integers(2)), name)
            elif replaceable:
                sounds[int(rng.choice(replaceable))] = name
        return {**fields, "sounds": tuple(sounds)}
    if name in (fields["left"], fields["right"]):
        return fields
    free = [slot for slot in slots if fields[slot] not in side.scene_names] or slots
    return {**fields, str(rng.choice(free)): name}


@dataclass
class _Draft:
    """A clip being planned."""

    video: Side
    audio: Side
    agreement: str = ""
    """The emotion of its agreement question; "" where it has none."""
    asked_modalities: tuple[str, ...] = ()
    """The modalities whose halves are asked about."""


def _draft(side: Side, second_emotion: str, agreement: str = "", asked_modalities: tuple[str, ...] = ()) -> _Draft:
    """A clip of `side`, whose other half shows an emotion and needs nothing more."""
    other_side = Side("audio" if side.modality == "video" else "video", second_emotion)
    video, audio = (side, other_side) if side.modality == "video" else (other_side, side)
    return _Draft(video, audio, agreement, asked_modalities)


def _pools(rng: np.random.Generator, counts: dict[str, int]) -> dict[str, list[Side]]:
    """Modality -> the halves that its Basic and stress questions need, in random order."""
    pools = {}
    for modality in ("video", "audio"):
        sides = [
            *basic_sides(rng, modality, counts[f"reasoning_basic_{modality}"]),
            *stress_sides(rng, modality, counts[f"reasoning_stress_{modality}"]),
        ]
        pools[modality] = [sides[i] for i in rng.permutation(len(sides))]
    return pools


def _agreement_draft(rng: np.random.Generator, pool: list[Side], modality: str, emotion: str, agree: bool) -> _Draft:
    """A clip to ask about agreement, with a half taken out of `pool` where one fits."""
    side_emotion = emotion if agree or rng.random() < 0.5 else None
    fits = (
        i for i, side in enumerate(pool) if (side.emotion == side_emotion if side_emotion else side.emotion != emotion)
    )
    at = next(fits, None)
    side = pool.pop(at) if at is not None else Side(modality, side_emotion or other_emotion(rng, emotion))
    other_side_emotion = emotion if agree or side_emotion is None else other_emotion(rng, emotion)
    return _draft(side, other_side_emotion, emotion, (modality,) if at is not None else ())


def _agreement_drafts(rng: np.random.Generator, pools: dict[str, list[Side]], count: int) -> list[_Draft]:
    """Clips for `count` agreement questions: each emotion named is right in one clip, wrong in the next."""
    drafts = []
    emotions = _cycle(rng, list(EMOTIONS))
    for number in range(count // 2):
        emotion = next(emotions)
        for agree in (True, False):
            modality = "video" if number % 2 else "audio"
            drafts.append(_agreement_draft(rng, pools[modality], modality, emotion, agree))
    return drafts


def _least(drafts: Sequence[_Draft], pools: Mapping[str, Sequence[Side]]) -> int:
    """How many clips are needed at least: those drafted, and one for each half of the larger pool."""
    return len(drafts) + max(map(len, pools.values()))


def _fill(drafts: Sequence[_Draft], pools: Mapping[str, list[Side]]) -> None:
    """Move halves out of the pools into drafts, in place of unasked halves of the same emotion."""
    for draft in drafts:
        for modality, pool in pools.items():
            emotion = getattr(draft, modality).emotion
            at = next((i for i, side in enumerate(pool) if side.emotion == emotion), None)
            if modality not in draft.asked_modalities and at is not None:
                setattr(draft, modality, pool.pop(at))
                draft.asked_modalities = (*draft.asked_modalities, modality)


def _single_drafts(rng: np.random.Generator, sides: Sequence[Side]) -> list[_Draft]:
    """A clip for each half, its other half of the same emotion as often as of another."""
    drafts = []
    for side in sides:
        second_emotion = side.emotion if rng.random() < 0.5 else other_emotion(rng, side.emotion)
        drafts.append(_draft(side, second_emotion, asked_modalities=(side.modality,)))
    return drafts


def _drafts(rng: np.random.Generator, clips: int) -> list[_Draft]:
    """All clips, in random order; as many have a question about each half as `clips` makes necessary."""
    counts = sizes(clips)
    while True:
        pools = _pools(rng, counts)
        drafts = _agreement_drafts(rng, pools, counts["modality_agreement"])
        if _least(drafts, pools) > clips:  # fewer than ten: each must ask as much as it can
            _fill(drafts, pools)
        if _least(drafts, pools) <= clips:
            break
    remaining = {modality: len(pool) for modality, pool in pools.items()}
    pairs = int(np.clip(len(drafts) + sum(remaining.values()) - clips, 0, min(remaining.values())))
    for video, audio in zip(pools["video"][:pairs], pools["audio"][:pairs], strict=True):
        drafts.append(_Draft(video, audio, asked_modalities=("video", "audio")))
    for pool in pools.values():
        drafts += _single_drafts(rng, pool[pairs:])
    return [drafts[i] for i in rng.permutation(len(drafts))]


def plan(rng: np.random.Generator, clips: int) -> list[tuple[Clip, list[Question]]]:
    """A balanced split of `clips` clips, each with its questions. Raises ValueError for fewer than 8."""
    planned = []
    for draft in _drafts(rng, clips):
        clip = Clip(seed=int(rng.integers(2**31)), **_draw_fields(rng, draft.video), **_draw_fields(rng, draft.audio))
        clip_questions = [getattr(draft, modality).ask(rng, clip) for modality in draft.asked_modalities]
        if draft.agreement:
            clip_questions.append(questions.agreement(rng, clip, draft.agreement))
        planned.append((clip, clip_questions))
    return planned
