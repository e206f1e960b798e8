"""The questions answered by yes or no, written from templates: Stress Test and Modality Agreement (3.1, B.1)."""

from collections.abc import Mapping, Sequence

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.checks.leaks import named
from avem_train.curation.data.draws import draw, shuffled
from avem_train.curation.data.rows import Modality, Role, Row
from avem_train.curation.questions import clip
from emorealm_tasks.answers.task_names import SUBTASKS
from emorealm_tasks.untrusted import brief

AGREEMENT = "modality_agreement"
_AGREEMENT_FORMS = (
    "Do the audio and video modalities align for the expression of {emotion} of the person in the video?",
    "Do the visual elements of the video align with the audio in conveying the {emotion} of the person in the video?",
)
_STRESS_FORM = "Does the {sense} of {cue} suggest {emotion} of the character?"
_SENSES = {"video": ("sight", "see", '"tears on the cheeks"'), "audio": ("sound", "hear", '"a trembling voice"')}
_REASONED = {
    "no_hallucination": "Yes, the {sense} of {cue} suggests {emotion}.",
    "spurious": "No, the {sense} of {cue} does not suggest {emotion}.",
    "hallucination": "No, the {sense} of {cue} is not in the video.",
    "yes": "Yes, both the audio and the video convey {emotion}.",
    "no": "No, the audio and the video do not both convey {emotion}.",
}
_NOUNS = {"neutral": "neutrality"}


def agreement(row: Row, seed: int) -> Row:
    """Do picture and sound convey the label? Yes where both captions alone give it, else no."""
    yes = all(row[f"guess_{medium}"] == row["emotion"] for medium in clip.MEDIA)
    form = _AGREEMENT_FORMS[int(draw(seed, row["id"], AGREEMENT) * len(_AGREEMENT_FORMS))]
    text = form.format(emotion=_noun(row))
    right: Role = "yes" if yes else "no"
    return clip.question(row, AGREEMENT, 1, text, clip.YES_NO, right, seed, modality="audiovisual")


def stress_task(modality: Modality) -> str:
    """Its name."""
    return f"reasoning_stress_{modality}"


def stress_number(subtask: str, place: int) -> int:
    """The number of a question in its id, which does not depend on what becomes of others. place: counts from 0."""
    return 1 + SUBTASKS.index(subtask) + len(SUBTASKS) * place


def stress_cues(row: Row, modality: Modality, subtask: str, count: int, seed: int) -> list[str]:
    """Up to `count` cues to ask about: such that tell of the emotion, or for `spurious` such that are merely there.

    Raises Rejected where there are none.
    """
    there = clip.relevant_cues if subtask == "no_hallucination" else clip.irrelevant_cues
    return shuffled(there(row, modality), seed, row["id"], modality, subtask)[:count]


def absent_values(row: Row, modality: Modality, count: int) -> Mapping[str, str]:
    """What is filled into the prompt that asks for cues which are absent."""
    _, sense, example = _SENSES[modality]
    cues: Sequence[str] = [cue["text"] for cue in row["cues"] if cue["modality"] == modality]
    return {
        "emotion": row["emotion"],
        "medium": modality,
        "caption": row[f"caption_{modality}"],
        "cues": "\n".join(f"- {cue}" for cue in cues) or "- (nothing was named)",
        "count": str(count),
        "sense": sense,
        "example": example,
    }


def stress(row: Row, modality: Modality, subtask: str, place: int, cue: str, seed: int) -> Row:
    """Does the cue suggest the label? Raises Rejected where the cue fails a check."""
    cue = cue.strip().rstrip(".")
    if not cue:
        raise Rejected("empty text", "the cue is empty")
    if word := named(cue, row["emotion"]):
        raise Rejected("label in cue", f"{brief(cue)} names {row['emotion']} by {word!r}")
    if subtask == "hallucination" and (where := clip.present(row, cue)):
        raise Rejected("hallucinated cue present", f"{brief(cue)} is there: {where}")
    text = _STRESS_FORM.format(sense=_SENSES[modality][0], cue=_inside(cue), emotion=_noun(row))
    right: Role = "yes" if subtask == "no_hallucination" else "no"
    number = stress_number(subtask, place)
    checks = ["label not in the cue", *(["cues by their words"] if subtask == "hallucination" else [])]
    more = {"modality": modality, "subtask": subtask, "cue": cue, "checks": checks}
    return clip.question(row, stress_task(modality), number, text, clip.YES_NO, right, seed, **more)


def check_absent(question: Row, matches: Sequence[Row]) -> Row:
    """The question, where its absent cue means none that is there; else raises Rejected.

    matches: the cues that it means.
    """
    if matches:
        told = f"{brief(question['cue'])} means {brief(matches[0]['text'])}"
        raise Rejected("hallucinated cue by meaning present", told)
    return question | {"checks": [*question["checks"], clip.BY_MEANING]}


def _noun(row: Row) -> str:
    label: str = row["emotion"]
    return _NOUNS.get(label, label)


def _inside(cue: str) -> str:
    """The cue as it stands within a sentence: "A smile" -> "a smile", "TV noise" as it is."""
    return cue if cue[:2].isupper() else cue[0].lower() + cue[1:]


def reasoned(row: Row) -> str:
    """The right answer to a question of yes or no in a sentence, with what is known as its reason."""
    sense = _SENSES[row["modality"]][0] if row["modality"] in _SENSES else ""
    sentence = _REASONED[row["subtask"] or row["roles"][row["answer"]]]
    return sentence.format(sense=sense, cue=_inside(row["cue"]) if row["cue"] else "", emotion=_noun(row))
