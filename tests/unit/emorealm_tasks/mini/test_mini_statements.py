import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from emorealm_tasks.mini.language import questions
from emorealm_tasks.mini.language.statements import statement, statements
from emorealm_tasks.mini.world.cues import CUES, FEELINGS
from emorealm_tasks.mini.world.sampling import sample_clip

EMOTION_OF = {word: emotion for emotion, words in FEELINGS.items() for word in words}


def judged(clip, modality, text):
    """Whether a statement is true, read from its words alone; None for one that says its own verdict."""
    text = text.lower()
    feeling = next((EMOTION_OF[word] for word in sorted(EMOTION_OF, key=len, reverse=True) if text.endswith(word)), "")
    if text in ("yes", "no"):
        return None
    if text.startswith("both"):
        return clip.emotion_video == clip.emotion_audio
    if text.startswith("the " + modality):
        return feeling == clip.emotion(modality)
    cue = next(cue.name for cue in CUES for phrase in cue.phrases if text.startswith(phrase + " "))
    if feeling:
        return questions.supports(clip, modality, (cue, feeling))
    return cue in (*clip.shown(modality), *clip.scene(modality))


@given(seed=st.integers(0, 10_000), confounded=st.booleans(), modality=st.sampled_from(["video", "audio"]))
@settings(max_examples=200, deadline=None)
def test_verdicts_are_true(seed, confounded, modality):
    rng = np.random.default_rng(seed)
    clip = sample_clip(rng, confounded)
    text, verdict = statement(rng, clip, modality, lettered=False)
    assert judged(clip, modality, text.removesuffix("?")) == (verdict == "Yes")


@given(seed=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_a_letter_names_the_verdict(seed):
    rng = np.random.default_rng(seed)
    clip = sample_clip(rng)
    text, letter = statement(rng, clip, "video", lettered=True)
    said, options = text.split("? ")
    chosen = options.split(f"({letter}) ")[1].split(" ")[0]
    truth = judged(clip, "video", said)
    assert chosen == (said if truth is None else "Yes" if truth else "No")


def test_one_list_has_one_kind_of_verdict():
    rng = np.random.default_rng(0)
    clip = sample_clip(rng)
    kinds = set()
    for _ in range(40):
        prompt, judged_ = statements(rng, clip, "audio", 6, 0.5)
        assert "heard" in prompt
        assert len(judged_) == 6
        kinds.add(len({verdict in ("A", "B") for _, verdict in judged_}))
    assert kinds == {1}
