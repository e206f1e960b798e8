"""Prompts are known by name, version and hash: a changed text needs a version of its own."""

from avem_train.curation import prompts
from avem_train.curation.stages import STAGES

RELEASED = {
    "answer_from_text/1/907bffaa",
    "captions_audio/1/7c866119",
    "captions_video/1/e2c9dfae",
    "cue_matches/1/58d24753",
    "descriptions/1/2caab49d",
    "emotion_from_caption/1/2f916ef2",
    "preferences_answer/1/85fc62e4",
    "preferences_description/1/d3be6d4b",
    "preferences_irrelevant/1/13055aee",
    "preferences_verdict/1/4d8aa33b",
    "questions_basic/1/9f308f63",
    "questions_hallucinated/1/eb9dce22",
}
"""All that rows may name; a new version is added, none is taken away."""


def test_a_prompt_whose_text_has_changed_has_a_new_version():
    assert {str(prompts.load(name)) for name in prompts.names()} <= RELEASED
    assert len({prompt.rpartition("/")[0] for prompt in RELEASED}) == len(RELEASED)


def test_every_prompt_is_asked_by_a_stage_that_names_it():
    assert {name for stage in STAGES.values() for name in stage.prompts} == set(prompts.names())
