import json
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avem_train.data.checks import Needs, problems, read
from avem_train.data.negatives import TABLE_17, Negatives
from avem_train.objectives import REJECTED
from emorealm_tasks.media import probe
from emorealm_tasks.mini import cli
from emorealm_tasks.mini.build import split as build
from emorealm_tasks.mini.build.plan import plan
from emorealm_tasks.mini.language import instructions, preferences, questions
from emorealm_tasks.mini.world.cues import BY_NAME, CUES, FEELINGS
from emorealm_tasks.mini.world.sampling import generator, sample_clip

CUE_OF = {phrase: cue.name for cue in CUES for phrase in cue.phrases}
EMOTION_OF = {noun: emotion for emotion, nouns in FEELINGS.items() for noun in nouns}
WRONG = tuple(f"rejected_{name}" for name in REJECTED)


def words(text):
    return re.findall(r"[\w'-]+|[^\w\s]", text.lower())


def cues(text):
    """Names of the cues in a sentence, longest phrase first ("a siren" is in "a wailing siren" by its last word)."""
    found, rest = set(), text.lower()
    for phrase in sorted(CUE_OF, key=len, reverse=True):
        if re.search(rf"\b{re.escape(phrase)}\b", rest):
            found.add(CUE_OF[phrase])
            rest = rest.replace(phrase, " ")
    return found


def feelings(text):
    return [EMOTION_OF[word] for word in re.findall(r"\w+", text) if word in EMOTION_OF]


@pytest.fixture(scope="module")
def made():
    clips = [clip for clip, _ in preferences.planned(1500, 5)]
    rows = preferences.records(clips, [f"videos/part_1/{n}.mp4" for n in range(len(clips))], 5)
    return [(clips[n // preferences.RECORDS_PER_CLIP], row) for n, row in enumerate(rows)]


def of_form(made, form):
    chosen = [(clip, row) for clip, row in made if row["form"] == form]
    assert len(chosen) > 50
    return chosen


def present(clip, cue):
    return cue in (*clip.seen, *clip.heard, *clip.scene("video"), *clip.scene("audio"))


def means_nothing(clip, cue):
    return present(clip, cue) and not BY_NAME[cue].emotion and clip.matters(BY_NAME[cue].modality) != cue


def test_a_claims_wrong_answers_are_wrong_as_their_names_say(made):
    for clip, row in of_form(made, "claim"):
        (chosen,), (spurious,), (hallucinated,), (irrelevant,) = (cues(row[name]) for name in ("chosen", *WRONG))
        emotion = clip.emotion(row["modality"])
        assert questions.supports(clip, row["modality"], (chosen, emotion))
        assert means_nothing(clip, spurious)
        assert not present(clip, hallucinated)
        assert BY_NAME[hallucinated].emotion == emotion == row["emotion"]
        assert not present(clip, irrelevant)
        told = [feelings(row[name])[-1] for name in ("chosen", *WRONG)]
        assert told[:3] == [emotion] * 3
        assert told[3] not in (clip.emotion_video, clip.emotion_audio)


def test_a_verdicts_wrong_answers_say_the_opposite(made):
    seen = Counter()
    for clip, row in of_form(made, "verdict"):
        (asked,), (chosen,), (first,), (second,) = (cues(row[name]) for name in ("prompt", "chosen", *WRONG[:2]))
        kind = questions.subtask(clip, row["modality"], asked)
        seen[kind] += 1
        assert chosen == asked
        yes, no = row["chosen"].startswith("Yes"), row["chosen"].startswith("No")
        assert yes == (kind == "no_hallucination") != no
        assert all(row[name].startswith("No" if yes else "Yes") for name in WRONG[:2])
        if yes:
            assert first == second == asked
            assert "merely there" in row["rejected_video_relevant"]
            assert "absent" in row["rejected_emotion_relevant"]
        else:
            assert means_nothing(clip, first)
            assert not present(clip, second)
            assert asked in (first, second)
    assert seen["no_hallucination"] == pytest.approx(sum(seen.values()) / 2, rel=0.1)
    assert min(seen["spurious"], seen["hallucination"]) > sum(seen.values()) / 6


def test_agreements_and_descriptions_misread_what_is_there(made):
    for clip, row in of_form(made, "agreement"):
        own = [clip.emotion_video, clip.emotion_audio]
        agree = own[0] == own[1]
        assert row["chosen"].startswith("Yes" if agree else "No")
        assert feelings(row["chosen"]) == ([own[0]] if agree else own)
        assert row["emotion"] == feelings(row["prompt"])[0] in own
        assert not any(feelings(row[name]) == feelings(row["chosen"]) for name in WRONG)
        assert row["rejected_video_relevant"].startswith("No")
        assert row["rejected_emotion_relevant"].startswith("No" if agree else "Yes")
    for clip, row in of_form(made, "description"):
        assert cues(row["chosen"]) == {*clip.seen, *clip.heard}
        assert all(present(clip, cue) for cue in cues(row["rejected_video_relevant"]))
        assert sum(means_nothing(clip, cue) for cue in cues(row["rejected_video_relevant"])) in (1, 2)
        hallucinated = [cue for cue in cues(row["rejected_emotion_relevant"]) if not present(clip, cue)]
        assert {BY_NAME[cue].emotion for cue in hallucinated} == {clip.emotion_video, clip.emotion_audio}
        assert not any(present(clip, cue) for cue in cues(row["rejected_irrelevant"]))


def test_letters_stand_for_the_options_they_name(made):
    hallucinations = 0
    for clip, row in of_form(made, "letters_basic"):
        options = dict(re.findall(r"\((\w)\) ([^(]+)", row["prompt"]))
        facts = {letter: (*cues(text), feelings(text)[-1]) for letter, text in options.items()}
        right = [letter for letter, option in facts.items() if questions.supports(clip, row["modality"], option)]
        assert right == [row["chosen"]]
        assert sorted([row["chosen"], *(row[name] for name in WRONG)]) == list("ABCD")
        wrong = {letter: present(clip, cue) for letter, (cue, _) in facts.items() if letter not in right}
        assert wrong[row["rejected_video_relevant"]] == any(wrong.values())
        cue, emotion = facts[row["rejected_emotion_relevant"]]
        hallucinations += not present(clip, cue) and emotion == clip.emotion(row["modality"])
    assert hallucinations > len(of_form(made, "letters_basic")) / 3
    for form in ("letters_stress", "letters_agreement"):
        for _, row in of_form(made, form):
            first, second, other = (row[name] for name in WRONG)
            assert {row["chosen"], first} == {"A", "B"}
            assert first == second
            assert other in "CD"
            says = dict(re.findall(r"\((\w)\) (\w+)", row["prompt"]))
            assert set(says.values()) == {"Yes", "No"}


def test_the_embedded_models_vocabulary_is_enough(made):
    """Every word that a record uses occurs in the supervised training set, from which the vocabulary is made."""
    rng = generator("train", 0)
    known = set()
    mix = dict.fromkeys(instructions.KINDS, 1.0)
    for _ in range(2500):
        for prompt, response in instructions.instructions(rng, sample_clip(rng, confounded=True), mix, 6):
            known |= {*words(prompt), *words(response)}
    used = {word for _, row in made for name in ("prompt", "chosen", *WRONG) for word in words(row[name])}
    assert used <= known, used - known


def test_a_share_is_answered_by_letter_and_every_modality_asked(made):
    rows = [row for _, row in made]
    share = np.mean([row["form"] in preferences.LETTERED for row in rows])
    assert share == pytest.approx(preferences.LETTERS, abs=0.03)
    asked = Counter(row["modality"] for row in rows)
    assert min(asked["video"], asked["audio"], asked["audiovisual"]) > len(rows) / 4
    clips = [clip for clip, _ in preferences.planned(200, 1)]
    paths = [str(n) for n in range(200)]
    assert not any(row["form"] in preferences.LETTERED for row in preferences.records(clips, paths, 1, letters=0))
    assert all(row["form"] in preferences.LETTERED for row in preferences.records(clips, paths, 1, letters=1))


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_same_seed_same_records_and_no_clip_of_another_set(seed):
    first, again = ([clip for clip, _ in preferences.planned(5, seed)] for _ in range(2))
    assert first == again
    assert preferences.records(first, list("abcde"), seed) == preferences.records(again, list("abcde"), seed)
    taken = {clip.seed for clip in first}
    for split in ("validation", "test"):
        assert not taken & {clip.seed for clip, _ in plan(generator(split, seed), 25)}
    for other in (seed, seed + 1):
        rng = generator("train", other)
        assert not taken & {sample_clip(rng, confounded=True).seed for _ in range(50)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("preferences")
    assert cli.main(["build", "--split", "train", "--preferences", "--clips", "24", "--out", str(out)]) == 0
    return out


@pytest.mark.slow
def test_the_command_writes_a_set_that_training_accepts(folder):
    rows = read(folder / "preferences.jsonl")
    assert len(rows) == 24 * preferences.RECORDS_PER_CLIP
    for settings_ in (*TABLE_17.values(), None):
        assert problems(rows, Needs(settings_, REJECTED)) == []
    sample = probe(str(rows[0].video))
    assert sample.has_video
    assert sample.has_audio
    truth = {row["clip"]: row for row in json.loads((folder / "cues.json").read_text())}
    for row in rows:
        clip = truth[f"part_1/{row.video.name}"]
        assert row.emotion in {clip["emotion_video"], clip["emotion_audio"]}
    assert not (folder / "instructions.json").exists()


def test_a_drawn_clip_is_of_another_emotion_in_truth(folder):
    """Picture and sound of a clip may differ: what counts is the modality that the prompt is about."""
    from avem_train.data.negatives import draw

    rows = read(folder / "preferences.jsonl")
    truth = {row["clip"]: row for row in json.loads((folder / "cues.json").read_text())}
    for row, media in zip(rows, draw(rows, Negatives(), 0), strict=True):
        if row.modality != "audiovisual":
            medium = getattr(media, row.modality)
            assert truth[f"part_1/{medium.path.name}"][f"emotion_{row.modality}"] != row.emotion


def test_where_both_change_the_other_modality_is_of_another_emotion_where_that_is_known(folder):
    from avem_train.data.negatives import draw

    rows = read(folder / "preferences.jsonl")
    truth = {row["clip"]: row for row in json.loads((folder / "cues.json").read_text())}
    told = {(row.video, row.modality) for row in rows}
    looked_at = 0
    for row, media in zip(rows, draw(rows, Negatives(change="both"), 0), strict=True):
        other = {"video": "audio", "audio": "video"}.get(row.modality)
        if (row.video, other) in told:
            looked_at += 1
            own, drawn = (truth[f"part_1/{path.name}"][f"emotion_{other}"] for path in (row.video, media.video.path))
            assert own != drawn
    assert looked_at > 5


def test_preferences_are_of_the_training_split(tmp_path, capsys):
    assert cli.main(["build", "--split", "test", "--preferences", "--clips", "30", "--out", str(tmp_path)]) == 2
    assert "split train" in capsys.readouterr().err
    with pytest.raises(ValueError, match="share of letters from 0 to 1"):
        build.build(tmp_path, "train", 3, letters=1.5)
    with pytest.raises(ValueError, match="at least one clip"):
        build.build(tmp_path, "train", 0, letters=0.5)
