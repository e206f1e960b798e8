"""Responses in sentences: what a model is asked for them, and what becomes of its reply."""

from collections.abc import Mapping

from avem_train.curation import prompts
from avem_train.curation.asking.asker import Ask
from avem_train.curation.asking.requests import Request
from avem_train.curation.balance.text_classifier import is_yes_no
from avem_train.curation.data.rows import Row
from avem_train.curation.preferences import checks, cues
from avem_train.curation.preferences.forms import (
    AnswerVariations,
    DescriptionVariations,
    IrrelevantVariation,
    Variation,
    VerdictVariations,
)
from avem_train.curation.questions import yes_no

PROMPTS = ("preferences_answer", "preferences_verdict", "preferences_description", "preferences_irrelevant")
_OPPOSITE = {"Yes": "No", "No": "Yes"}
Answers = tuple[str, dict[str, Variation]]
"""The chosen response; kind of rejected response -> what was written."""


def is_verdict(row: Row) -> bool:
    """Whether a row is a question of yes or no."""
    return row["is_a"] == "question" and is_yes_no(row)


def answers(row: Row, ask: Ask, client: str) -> Answers:
    """Chosen and rejected responses to a question or for a description. Raises Rejected where they fail a check."""
    if is_verdict(row):
        return _verdict(row, ask, client)
    chosen = row["description"] if row["is_a"] == "description" else row["choices"][row["answer"]]
    values = {**_clip(row), "chosen": chosen}
    if row["is_a"] == "description":
        described = ask(client, Request(prompts.load("preferences_description"), values, DescriptionVariations))
        return chosen, _checked(row, described)
    return chosen, _checked(row, ask(client, Request(prompts.load("preferences_answer"), values, AnswerVariations)))


def irrelevant(row: Row, chosen: str, ask: Ask, client: str) -> Variation:
    """A response that has nothing to do with the clip. Raises Rejected where it fails a check."""
    word = _OPPOSITE[row["choices"][row["answer"]]] if is_verdict(row) else ""
    values = {
        "emotion": row["emotion"],
        "prompt": row["prompt"] if row["is_a"] == "description" else row["question"],
        "chosen": chosen,
        "cues": cues.listed([*cues.relevant(row), *cues.irrelevant(row)]),
        "start": f' It starts with "{word}, ".' if word else "",
    }
    reply = ask(client, Request(prompts.load("preferences_irrelevant"), values, IrrelevantVariation))
    checks.check_irrelevant(row, reply)
    return reply


def _verdict(row: Row, ask: Ask, client: str) -> Answers:
    verdict = row["choices"][row["answer"]]
    opposite = _OPPOSITE[verdict]
    values = {**_clip(row), "verdict": verdict, "opposite": opposite, "known": yes_no.reasoned(row)}
    reply = ask(client, Request(prompts.load("preferences_verdict"), values, VerdictVariations))
    checks.check_verdicts(reply, verdict, opposite)
    if row["cue"]:
        checks.check_named("chosen", row["cue"], reply.chosen)
    return reply.chosen.strip(), _checked(row, reply)


def _checked(row: Row, reply: AnswerVariations) -> dict[str, Variation]:
    checks.check_cues(row, reply)
    return {"video_relevant": reply.video_relevant, "emotion_relevant": reply.emotion_relevant}


def _clip(row: Row) -> Mapping[str, str]:
    """What every prompt says of the clip."""
    captions = [row[f"caption_{medium}"] for medium in ("video", "audio")]
    return {
        "emotion": row["emotion"],
        "prompt": row["prompt"] if row["is_a"] == "description" else row["question"],
        "relevant": cues.listed(cues.relevant(row)),
        "irrelevant": cues.listed(cues.offered(row)),
        "captions": " ".join(filter(None, captions)),
    }
