"""What the scripted model writes for descriptions and preferences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from avem_train.curation.scripted import words
from avem_train.curation.scripted.guesses import Reply
from avem_train.curation.scripted.mistakes import Chance, Mistakes
from emorealm_tasks.emotions import EMOTIONS
from emorealm_tasks.mini.language import wording
from emorealm_tasks.mini.world.cues import FEELINGS

_HEADS = {"video": "What is seen", "audio": "What is heard"}
_PARTS = {"video": "The picture", "audio": "The sound"}


def description(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """EmotionDescription: a sentence for each caption, of the emotion that its cues support."""
    sentences = []
    for part in values["captions"].split("\n\n"):
        modality = next((medium for medium, head in _HEADS.items() if part.startswith(head)), "video")
        label = words.emotion(part) or values["emotion"]
        shown = [phrase for phrase in words.phrases(part) if words.PHRASES[phrase].emotion == label]
        noun = words.feeling(chance, label, modality)
        sentences.append(f"{_PARTS[modality]} conveys {noun}: {' and '.join(shown)}." if shown else "")
    text = " ".join(filter(None, sentences))
    return {"description": text or f"The person shows {words.feeling(chance, values['emotion'])}."}, []


@dataclass(frozen=True)
class _Material:
    """The cues that variations are made of."""

    spurious: str
    """There, and explains nothing."""
    absent: str
    """Of the emotion, not there; "" where all are there."""
    notes: tuple[str, ...]
    """What a planted mistake is, [] for none."""


def _material(values: Mapping[str, str], modality: str, chance: Chance, mistakes: Mistakes) -> _Material:
    relevant, irrelevant = words.listed(values["relevant"]), words.listed(values["irrelevant"])
    there = words.cues(". ".join([*relevant, *irrelevant, values["captions"]]))
    lacking = words.absent(values["emotion"], modality, there)
    lacking = [cue for cue in lacking if cue.modality == lacking[0].modality]
    spurious = chance.pick(irrelevant, "spurious")
    absent = words.phrase(chance, chance.pick(lacking, "absent")) if lacking else ""
    if not chance.happens(mistakes.misclaimed, "misclaimed"):
        return _Material(spurious, absent, ())
    strange = words.phrase(chance, chance.pick(words.strangers("video", there), "strange"))
    telling = words.known(relevant) or [spurious]
    shown = chance.pick(telling, "shown")
    ways = {
        "misclaimed:explains": (shown, absent),
        "misclaimed:not there": (strange, absent),
        "misclaimed:is there": (spurious, shown),
        "misclaimed:is there in other words": (
            spurious,
            words.other_phrase(shown) if shown in words.PHRASES else shown,
        ),
    }
    way = chance.pick(sorted(ways), "way")
    return _Material(*ways[way], (way,))


def _modality(text: str) -> str:
    cues = words.cues(text)
    return cues[0].modality if cues else "video"


def answer(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """AnswerVariations: the claim, by another cue."""
    material = _material(values, _modality(values["chosen"]), chance, mistakes)
    return _variations(material, lambda cue: words.claim_about(values["chosen"], cue)), list(material.notes)


def of_description(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """DescriptionVariations: the description, with one of its cues replaced."""
    chosen = values["chosen"]
    phrases = words.phrases(chosen)
    material = _material(values, _modality(chosen), chance, mistakes)
    old = chance.pick(phrases, "old") if phrases else ""
    return _variations(material, lambda cue: words.replaced(chosen, old, cue) if old else ""), list(material.notes)


def verdict(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """VerdictVariations: the verdict with its reason, and the opposite by two other cues."""
    named = words.phrases(values["prompt"])
    material = _material(values, _modality(values["prompt"]), chance, mistakes)
    noun = words.feeling(chance, values["emotion"])
    more = "" if named else " in both"
    template = values["opposite"] + ", {cue} convey{s} {feeling}" + more + "."
    reply = _variations(material, lambda cue: words.said(template, cue, noun))
    return {"chosen": _verdict(values, named, noun), **reply}, list(material.notes)


def _verdict(values: Mapping[str, str], named: list[str], noun: str) -> str:
    """The right verdict, with what is known of the question as its reason."""
    if not named:
        return _comparison(values)
    if values["verdict"] == "Yes":
        return words.said("Yes, {cue} convey{s} {feeling}.", named[0], noun)
    there = words.cues(". ".join([values["relevant"], values["irrelevant"], values["captions"]]))
    reason = "merely there" if words.PHRASES[named[0]] in there else "absent"
    return words.said("No, {cue} {are} " + reason + ".", named[0], noun)


def _comparison(values: Mapping[str, str]) -> str:
    """The verdict on an agreement question."""
    shown = {medium: words.emotion(values["captions"], medium) for medium in _PARTS}
    nouns = {medium: FEELINGS[label][0] if label else "something else" for medium, label in shown.items()}
    if values["verdict"] == "Yes":
        return f"Yes, both convey {FEELINGS[values['emotion']][0]}."
    return f"No, the video conveys {nouns['video']} and the audio {nouns['audio']}."


def _variations(material: _Material, text: Callable[[str], str]) -> dict[str, dict[str, str]]:
    named = {"video_relevant": material.spurious, "emotion_relevant": material.absent}
    return {kind: {"cue": cue, "text": text(cue) if cue else ""} for kind, cue in named.items()}


def irrelevant(values: Mapping[str, str], chance: Chance, mistakes: Mistakes, skill: float) -> Reply:
    """IrrelevantVariation: a cue of an emotion that nobody shows."""
    there = words.cues(values["cues"])
    labels = {cue.emotion for cue in there} | {values["emotion"]}
    label = chance.pick([one for one in EMOTIONS if one not in labels], "stranger")
    cue = words.phrase(chance, chance.pick(words.absent(label, _modality(values["prompt"]), there)[:3], "stranger"))
    start = values["start"].partition('"')[2].partition('"')[0]
    text = wording.filled("{cue} convey{s} {feeling}.", cue, words.PHRASES[cue].name, words.feeling(chance, label))
    return {"cue": cue, "text": start + text if start else wording.sentence(text)}, []
