"""Reasoning - Basic: what explains the emotion? One option is right; the others are irrelevant or absent (3.1)."""

from collections.abc import Mapping, Sequence

from avem_train.curation.asking.asker import Rejected
from avem_train.curation.checks.leaks import named
from avem_train.curation.checks.likeness import alike, holds
from avem_train.curation.data.draws import draw
from avem_train.curation.data.rows import Modality, Row
from avem_train.curation.questions import clip
from avem_train.curation.questions.forms import BasicQuestion, WrittenOption
from emorealm_tasks.untrusted import brief

WRONG = 3
CHECKS = ("options differ", "label not in the question", "cues by their words")
"""That `assembled` makes."""
_SENSES = {"video": "sees", "audio": "hears"}


def task(modality: Modality) -> str:
    """Its name."""
    return f"reasoning_basic_{modality}"


def counts(row: Row, modality: Modality, seed: int) -> tuple[int, int]:
    """How many wrong options name something irrelevant, and something absent: one and two, or two and one.

    Raises Rejected where nothing irrelevant is there.
    """
    several = len(clip.irrelevant_cues(row, modality)) > 1
    irrelevant = 2 if several and draw(seed, row["id"], modality, "irrelevant") < 0.5 else 1
    return irrelevant, WRONG - irrelevant


def values(row: Row, modality: Modality, seed: int) -> Mapping[str, str]:
    """What is filled into the prompt. Raises Rejected for a clip that has too few cues for a question."""
    irrelevant, hallucinated = counts(row, modality, seed)
    return {
        "senses": _SENSES[modality],
        "medium": modality,
        "emotion": row["emotion"],
        "caption": row[f"caption_{modality}"],
        "relevant": "\n".join(f"- {cue}" for cue in clip.relevant_cues(row, modality)),
        "irrelevant": "\n".join(f"- {cue}" for cue in clip.irrelevant_cues(row, modality)),
        "irrelevant_count": str(irrelevant),
        "hallucinated_count": str(hallucinated),
    }


def assembled(reply: BasicQuestion, row: Row, modality: Modality, seed: int) -> Row:
    """The question that a model wrote, as a row. Raises Rejected where it fails a check."""
    _check_form(reply, counts(row, modality, seed))
    if word := named(reply.question, row["emotion"]):
        raise Rejected("label in question", f"the question names {row['emotion']} by {word!r}: {brief(reply.question)}")
    _check_cues(reply, row, modality)
    options: list[clip.Option] = [
        ("right", reply.right.text.strip()),
        *(("irrelevant", option.text.strip()) for option in reply.irrelevant),
        *(("hallucinated", option.text.strip()) for option in reply.hallucinated),
    ]
    text = reply.question.strip()
    more = {"modality": modality, "cue": reply.right.cue.strip(), "checks": [*CHECKS]}
    return clip.question(row, task(modality), 1, text, options, "right", seed, **more)


def _options(reply: BasicQuestion) -> list[WrittenOption]:
    return [reply.right, *reply.irrelevant, *reply.hallucinated]


def _check_form(reply: BasicQuestion, wanted: tuple[int, int]) -> None:
    """Right numbers of options, none of them empty or like another."""
    found = len(reply.irrelevant), len(reply.hallucinated)
    if found != wanted:
        told = "{} irrelevant and {} hallucinated"
        raise Rejected("wrong number of options", f"{told.format(*found)} instead of {told.format(*wanted)}")
    options = _options(reply)
    texts = [reply.question, *(one.text for one in options), *(one.cue for one in options)]
    if not all(text.strip() for text in texts):
        raise Rejected("empty text", "the question, an option or a cue is empty")
    for place, one in enumerate(options):
        for other in options[:place]:
            if one.text.strip().lower() == other.text.strip().lower() or alike(one.cue, other.cue):
                raise Rejected("options alike", f"{brief(other.text)} and {brief(one.text)}")


def _check_cues(reply: BasicQuestion, row: Row, modality: Modality) -> None:
    """The right cue tells of the emotion, the irrelevant ones are there and tell nothing, the others are absent."""
    relevant, irrelevant = clip.relevant_cues(row, modality), clip.irrelevant_cues(row, modality)
    if not any(alike(reply.right.cue, cue) for cue in relevant):
        raise Rejected("right cue absent", f"{brief(reply.right.cue)} is none of the cues that tell of the emotion")
    for option in reply.irrelevant:
        if not any(alike(option.cue, cue) for cue in irrelevant):
            raise Rejected("irrelevant cue absent", f"{brief(option.cue)} is none of the irrelevant cues")
    for option in reply.hallucinated:
        if where := clip.present(row, option.cue):
            raise Rejected("hallucinated cue present", f"{brief(option.cue)} is there: {where}")
    for option in (*reply.irrelevant, *reply.hallucinated):
        if found := [cue for cue in relevant if holds(option.text, cue)]:
            raise Rejected("wrong option true", f"{brief(option.text)} names the telling {brief(found[0])}")


def check_matches(question: Row, matches: Sequence[Sequence[Row]]) -> Row:
    """The question, where no option speaks of a cue that makes it what it is not; else raises Rejected.

    matches: for each option, the cues that it speaks of. An option that speaks of none passes: a checker that overlooks
    a cue costs no question.
    """
    for text, role, cues in zip(question["choices"], question["roles"], matches, strict=True):
        telling = [cue["text"] for cue in cues if cue["relevant"]]
        if role == "right" and cues and not telling:
            raise Rejected("right option by meaning irrelevant", f"{brief(text)} means {brief(cues[0]['text'])}")
        if role == "irrelevant" and telling:
            raise Rejected("wrong option by meaning true", f"{brief(text)} means the telling {brief(telling[0])}")
        if role == "hallucinated" and cues:
            raise Rejected("hallucinated cue by meaning present", f"{brief(text)} means {brief(cues[0]['text'])}")
    return question | {"checks": [*question["checks"], clip.BY_MEANING]}
