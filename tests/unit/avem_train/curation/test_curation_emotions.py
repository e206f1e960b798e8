"""The label guessed from each caption alone, and what becomes of clips that neither explains."""

import pytest

from avem_train.curation.data.rows import Guessed
from avem_train.curation.stages import emotions
from curation import asking, context, described

SETTINGS = emotions.Settings(client="server")


def clip(**more):
    row = described(**more)
    return {name: value for name, value in row.items() if name not in ("guess_video", "guess_audio", "explained_by")}


def guessing(video, audio):
    return asking({"EmotionGuess": lambda request: {"emotion": audio if "Laughter" in request.text else video}})


@pytest.mark.parametrize(
    ("video", "audio", "explained_by"),
    [
        ("happiness", "happiness", ["video", "audio"]),
        ("happiness", "sadness", ["video"]),
        ("not sufficient", "happiness", ["audio"]),
    ],
)
def test_a_clip_is_explained_by_the_captions_that_give_its_label(video, audio, explained_by):
    ask, _ = guessing(video, audio)
    outcome = emotions.each(clip(), ask, context(SETTINGS))
    (row,) = outcome.rows
    assert Guessed.model_validate(row).explained_by == explained_by
    assert row["guess_video"] == ("" if video == "not sufficient" else video)


def test_each_caption_is_asked_about_by_itself_and_without_the_label():
    ask, asked = guessing("fear", "fear")
    emotions.each(clip(emotion="fear"), ask, context(SETTINGS, emotions=("fear", "joy")))
    first, second = (request.text for _, request in asked)
    assert "smiles broadly" in first
    assert "Laughter" not in first
    assert "smiles broadly" not in second
    assert "fear, joy" in first
    texts = [text.replace("fear, joy", "") for text in (first, second)]
    assert not any("fear" in text for text in texts)
    schema = asked[0][1].schema["properties"]["emotion"]
    assert schema["enum"] == ["fear", "joy", "not sufficient"]


def test_a_clip_that_neither_caption_explains_is_dropped_with_both_guesses():
    ask, _ = guessing("anger", "not sufficient")
    outcome = emotions.each(clip(), ask, context(SETTINGS))
    (dropped,) = outcome.dropped
    assert (len(outcome.rows), dropped.kind) == (0, "not explained")
    assert dropped.reason == "the label is happiness, guessed: anger from the video and not sufficient from the audio"


def test_an_empty_caption_is_not_asked_about():
    ask, asked = guessing("happiness", "happiness")
    (row,) = emotions.each(clip(caption_audio=" "), ask, context(SETTINGS)).rows
    assert len(asked) == 1
    assert (row["guess_audio"], row["explained_by"]) == ("", ["video"])


def test_a_label_that_the_recipe_does_not_know_is_dropped_unasked():
    ask, asked = guessing("happiness", "happiness")
    (dropped,) = emotions.each(clip(emotion="awe"), ask, context(SETTINGS)).dropped
    assert (dropped.kind, asked) == ("unknown label", [])
