"""Preference records about clips whose cues are known: a chosen answer, and answers that are wrong in a known way.

A rejected answer is a variation of the chosen one (Section 4.1): `rejected_video_relevant` explains the emotion by
something that is there and does not explain it, `rejected_emotion_relevant` by a cue of the emotion that is not there
(typical ones more often, as a text prior would have it), `rejected_irrelevant` tells of a cue that is not there and an
emotion that nobody has (Section E.6). Where the answer is a verdict, the first is wrong about what a cue means and the
second about what is there; in an agreement question each misreads one modality (Table 12). A letter has no shades: the
wrong letters stand for the options they name, and of two letters the other one is rejected twice.

One record is a line of `preferences.jsonl`: id, video (path from the file's folder, with its own sound), prompt,
modality (what the prompt is about: video, audio or audiovisual), emotion (that modality's; in an audiovisual question
the one it names, in a description the picture's or the sound's), chosen, the three rejected responses, and form (a key
of FORMS).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from emorealm_tasks import files
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.language import instructions, questions, wording
from emorealm_tasks.mini.world.cues import BY_NAME, affect_cues
from emorealm_tasks.mini.world.sampling import SPLITS, TYPICAL, Clip, sample_clip

FILE = "preferences.jsonl"
RECORDS_PER_CLIP = 2
LETTERS = 0.4
"""Share of the records answered by letter: formats that preference training never sees decay. 0.4 scored
a little better than 0.2 on the validation world (results/mini/study_validation.md)."""
SENTENCES = {"claim": 3.0, "verdict": 3.0, "agreement": 2.0, "description": 1.0}
"""Weights of the forms answered in sentences."""
LETTERED = {"letters_basic": 2.0, "letters_stress": 2.0, "letters_agreement": 1.0}
"""Weights of the forms answered by letter."""
Answers = tuple[str, str, str, str, str]
"""Prompt, chosen, and rejected: video-relevant, emotion-relevant, irrelevant."""


def planned(count: int, seed: int) -> list[tuple[Clip, list[Any]]]:
    """Clips of the confounded world, in which the supervised training set lives too, without benchmark questions.

    They come from a random stream of their own, so they are the clips of no split, whatever the seed. Raises ValueError
    for less than one clip.
    """
    if count < 1:
        raise ValueError(f"preference records need at least one clip, not {count}")
    rng = _generator(seed)
    return [(sample_clip(rng, confounded=True), []) for _ in range(count)]


def _generator(seed: int, *further: int) -> np.random.Generator:
    return np.random.default_rng([len(SPLITS), seed, *further])


def records(clips: Sequence[Clip], videos: Sequence[str], seed: int, letters: float = LETTERS) -> list[dict[str, Any]]:
    """RECORDS_PER_CLIP records about every clip. videos: the paths to write; letters: share answered by letter."""
    rng = _generator(seed, 1)
    return [row for clip, video in zip(clips, videos, strict=True) for row in _about(rng, clip, video, letters)]


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write records to `folder`/preferences.jsonl, one a line."""
    files.write(folder / FILE, "".join(json.dumps(row) + "\n" for row in rows))


def _about(rng: np.random.Generator, clip: Clip, video: str, letters: float) -> Iterator[dict[str, Any]]:
    """The records about one clip, modalities in turn."""
    first, count = int(rng.integers(2)), 0
    while count < RECORDS_PER_CLIP:
        weights = LETTERED if rng.random() < letters else SENTENCES
        form = str(rng.choice(list(weights), p=np.array(list(weights.values())) / sum(weights.values())))
        modality = instructions.MODALITIES[(first + count) % 2]
        answers = FORMS[form](rng, clip, modality)
        if answers is None:  # everything there is to show is shown: nothing is left to hallucinate
            continue
        prompt, chosen, video_relevant, emotion_relevant, irrelevant = answers
        count += 1
        yield {
            "id": f"{PurePosixPath(video).stem}_{count}",
            "video": video,
            "prompt": prompt,
            "modality": "audiovisual" if form in AUDIOVISUAL else modality,
            "emotion": clip.emotion(modality),
            "chosen": chosen,
            "rejected_video_relevant": video_relevant,
            "rejected_emotion_relevant": emotion_relevant,
            "rejected_irrelevant": irrelevant,
            "form": form,
        }


def idle_cue(rng: np.random.Generator, clip: Clip, modality: str) -> str:
    """A scene cue that is there and means nothing: of the modality, else (every sound may matter) of the picture."""
    for where in (modality, "video"):
        idle = [name for name in clip.scene(where) if name != clip.matters(where)]
        if idle:
            return str(rng.choice(idle))
    raise ValueError(f"{clip} has neither clothes nor objects that are merely there")


def hallucinated_cue(rng: np.random.Generator, clip: Clip, modality: str) -> str:
    """An absent cue of the modality's emotion: of the modality, else of the other one; "" where all are there."""
    emotion = clip.emotion(modality)
    for where in (modality, _other(modality)):
        absent = {c.name: p for c, p in zip(affect_cues(where, emotion), TYPICAL, strict=True)}
        absent = {name: chance for name, chance in absent.items() if name not in clip.shown(where)}
        if absent:
            return str(rng.choice(list(absent), p=np.array(list(absent.values())) / sum(absent.values())))
    return ""


def _other(modality: str) -> str:
    return "audio" if modality == "video" else "video"


def _stranger(rng: np.random.Generator, clip: Clip, modality: str) -> tuple[str, str]:
    """An absent cue of an emotion that both picture and sound lack, and that emotion."""
    emotion = _absent_emotion(rng, clip)
    return str(rng.choice([cue.name for cue in affect_cues(modality, emotion)])), emotion


def _absent_emotion(rng: np.random.Generator, clip: Clip) -> str:
    return str(rng.choice([e for e in EMOTIONS if e not in (clip.emotion_video, clip.emotion_audio)]))


def _claim(rng: np.random.Generator, clip: Clip, modality: str) -> Answers | None:
    emotion, hallucinated = clip.emotion(modality), hallucinated_cue(rng, clip, modality)
    reasons = [*clip.shown(modality), *([clip.matters(modality)] if clip.matters(modality) else [])]
    if not hallucinated:
        return None
    return (
        wording.basic_stem(rng, modality),
        wording.claim(rng, str(rng.choice(reasons)), emotion),
        wording.claim(rng, idle_cue(rng, clip, modality), emotion),
        wording.claim(rng, hallucinated, emotion),
        wording.claim(rng, *_stranger(rng, clip, modality)),
    )


def _verdict(rng: np.random.Generator, clip: Clip, modality: str) -> Answers | None:
    """Yes and no are right equally often where the clip allows, and the rejected answers say the opposite."""
    cue, yes = instructions.stress_cue(rng, clip, modality, instructions.BALANCED)
    emotion, hallucinated = clip.emotion(modality), hallucinated_cue(rng, clip, modality)
    kind = questions.subtask(clip, modality, cue)

    def verdict(about: str, subtask: str, of: str = emotion) -> str:
        return wording.verdict(rng, about, of, subtask)

    if yes:
        wrong = verdict(cue, "spurious"), verdict(cue, "hallucination")
    else:
        present = cue if kind == "spurious" else idle_cue(rng, clip, modality)
        absent = cue if kind == "hallucination" else hallucinated
        if not absent:
            return None
        wrong = verdict(present, "no_hallucination"), verdict(absent, "no_hallucination")
    stranger, other = _stranger(rng, clip, modality)
    stem = wording.stress_stem(rng, modality, cue, emotion)
    return stem, verdict(cue, kind), *wrong, verdict(stranger, "no_hallucination", other)


def _agreement(rng: np.random.Generator, clip: Clip, modality: str) -> Answers:
    video, audio, emotion = clip.emotion_video, clip.emotion_audio, clip.emotion(modality)
    stranger = _absent_emotion(rng, clip)
    if video == audio:
        wrong = wording.comparison(rng, video, stranger), wording.comparison(rng, _absent_emotion(rng, clip), audio)
    else:  # the right emotions in the wrong places; and the one asked about, heard or seen where it is not
        wrong = wording.comparison(rng, audio, video), wording.comparison(rng, emotion, emotion)
    stem = wording.agreement_stem(rng, emotion)
    return stem, wording.comparison(rng, video, audio), *wrong, wording.comparison(rng, stranger, stranger)


def _description(rng: np.random.Generator, clip: Clip, modality: str) -> Answers | None:
    absent = {where: hallucinated_cue(rng, clip, where) for where in instructions.MODALITIES}
    hidden = {where: cue for where, cue in absent.items() if cue}
    if len(hidden) < len(absent):
        return None
    true = {where: list(clip.shown(where)) for where in instructions.MODALITIES}
    spurious, hallucinated = (
        {where: _replaced(rng, true[where], cue(where)) for where in true}
        for cue in (lambda where: idle_cue(rng, clip, where), hidden.__getitem__)
    )
    strangers = {where: _stranger(rng, clip, where) for where in true}

    def describe(cues: dict[str, list[str]], video: str, audio: str) -> str:
        words = {where: [wording.phrase(rng, name) for name in names] for where, names in cues.items()}
        return wording.description(rng, video, audio, words["video"], words["audio"])

    emotions = clip.emotion_video, clip.emotion_audio
    irrelevant = describe(
        {where: [cue] for where, (cue, _) in strangers.items()}, strangers["video"][1], strangers["audio"][1]
    )
    return (
        wording.DESCRIBE,
        describe(true, *emotions),
        describe(spurious, *emotions),
        describe(hallucinated, *emotions),
        irrelevant,
    )


def _replaced(rng: np.random.Generator, names: list[str], name: str) -> list[str]:
    at = int(rng.integers(len(names)))
    return [*names[:at], name, *names[at + 1 :]]


def _letters_basic(rng: np.random.Generator, clip: Clip, modality: str) -> Answers:
    options = instructions.basic_options(rng, clip, modality)
    question = questions.basic(rng, clip, modality, options)
    wrong = {}
    for choice in question.choices:
        cue, emotion = next(option for option in options if _names(choice[4:], option[0]))
        if choice[1] != question.answer:
            wrong[choice[1]] = (cue in clip.scene(modality), emotion == clip.emotion(modality))
    # something that is there, if any of them is; the hallucinated cue of the emotion is left for the second
    video_relevant = max(wrong, key=lambda letter: (wrong[letter][0], not wrong[letter][1]))
    remaining = [letter for letter in wrong if letter != video_relevant]
    emotion_relevant = max(remaining, key=lambda letter: wrong[letter][1])
    irrelevant = next(letter for letter in remaining if letter != emotion_relevant)
    return question.prompt, question.answer, video_relevant, emotion_relevant, irrelevant


def _names(claim: str, cue: str) -> bool:
    return any(claim.startswith(f"{wording.sentence(words)} ") for words in BY_NAME[cue].phrases)


def _two_letters(rng: np.random.Generator, question: questions.Question) -> Answers:
    wrong_letter = next(choice[1] for choice in question.choices if choice[1] != question.answer)
    unoffered = str(rng.choice(list(wording.LETTERS[len(question.choices) :])))
    return question.prompt, question.answer, wrong_letter, wrong_letter, unoffered


def _letters_stress(rng: np.random.Generator, clip: Clip, modality: str) -> Answers:
    cue, _ = instructions.stress_cue(rng, clip, modality, instructions.BALANCED)
    return _two_letters(rng, questions.stress(rng, clip, modality, cue))


def _letters_agreement(rng: np.random.Generator, clip: Clip, modality: str) -> Answers:
    return _two_letters(rng, questions.agreement(rng, clip, clip.emotion(modality)))


FORMS: dict[str, Callable[[np.random.Generator, Clip, str], Answers | None]] = {
    "claim": _claim,
    "verdict": _verdict,
    "agreement": _agreement,
    "description": _description,
    "letters_basic": _letters_basic,
    "letters_stress": _letters_stress,
    "letters_agreement": _letters_agreement,
}
"""What a record asks, in the forms of `wording`; None where a clip has nothing to ask in this form."""
AUDIOVISUAL = frozenset({"agreement", "description", "letters_agreement"})
"""Forms whose prompt is about picture and sound alike."""
