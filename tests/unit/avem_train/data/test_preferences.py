import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from avem_train.backbones import loading
from avem_train.data import responses
from avem_train.data.bad_records import BAD_RECORDS, BadRecords
from avem_train.data.checks import Needs, load, problems, read
from avem_train.data.model_facts import ModelFacts
from avem_train.data.negatives import Negatives, draw
from avem_train.data.records import FURTHER_EMOTIONS
from avem_train.objectives import REJECTED, Objective
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.emotions import ADJECTIVES, EMOTIONS


def item(identifier, emotion="anger", **further):
    return {
        "id": identifier,
        "video": "a.mp4",
        "prompt": "How does the face tell?",
        "modality": "video",
        "emotion": emotion,
        "chosen": "By its brows.",
        "rejected_video_relevant": "By the hat.",
        "rejected_emotion_relevant": "By its teeth.",
    } | further


@pytest.fixture(scope="session")
def media(make_clip, tmp_path_factory):
    """Files by name: clips with and without sound, a sound, and one that is no medium."""
    folder = tmp_path_factory.mktemp("media")
    for name in ("a.mp4", "b.mp4", "l.mp4"):
        make_clip(folder / name, seconds=0.5, size=32)
    make_clip(folder / "silent.mp4", seconds=0.5, size=32, sound=False)
    for name in ("a.wav", "l.wav"):
        soundfile.write(folder / name, np.zeros(800), 16000)
    (folder / "broken.mp4").write_bytes(b"no clip")
    return folder


@pytest.fixture(scope="session")
def probes(media, tmp_path_factory):
    """What is found in the files when each is decoded, which takes processes of their own: once is enough."""
    cache = tmp_path_factory.mktemp("probes")
    availability.probe_files(list(map(str, media.iterdir())), cache)
    return (cache / availability.PROBES).read_text()


@pytest.fixture
def folder(media, probes, tmp_path, monkeypatch):
    """The files, and a cache in which they are known."""
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / availability.PROBES).write_text(probes.replace(str(media), str(tmp_path)))
    for file in media.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path


def lines(path, *items):
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in items) + "\n\n")
    return path


def good(folder, *further):
    return lines(folder / "prefs.jsonl", item("1"), item("2", "fear", video="b.mp4"), *further)


def test_our_layout(folder):
    full = {"audio": "a.wav", "rejected_video": "l.mp4", "rejected_audio": "l.wav", "rejected_irrelevant": "Rain."}
    path = lines(folder / "prefs.jsonl", item("1"), item(2, **full, form="claim"))
    first, second = read(path)
    assert (first.id, first.video, first.audio, first.rejected_video) == ("1", folder / "a.mp4", None, None)
    assert first.prompt == "How does the face tell?"
    assert [first.response(name) for name in ("chosen", *REJECTED)] == [
        "By its brows.",
        "By the hat.",
        "By its teeth.",
        "",
    ]
    assert second.id == "2"
    assert (second.audio, second.rejected_video, second.rejected_audio) == tuple(
        folder / name for name in ("a.wav", "l.mp4", "l.wav")
    )
    assert second.response("irrelevant") == "Rain."
    assert read(path, Path("/data"))[0].video == Path("/data/a.mp4")


def test_the_released_layout(folder):
    released = {
        "video": "a.mp4",
        "audio": "a.wav",
        "prompt": "<video>\n<audio>\nHow does the face tell?",
        "chosen": "By its brows.",
        "rejected": "By the hat.",
        "rejected_2": "By its teeth.",
    }
    path = folder / "prefs.json"
    given_media = {"video_l": "l.mp4", "audio_l": "l.wav", "modality": "audio", "emotion": "Angry"}
    path.write_text(json.dumps([released, released | given_media], indent=1))
    first, second = read(path)
    assert first.prompt == "How does the face tell?"
    assert (first.rejected_video_relevant, first.rejected_emotion_relevant) == ("By the hat.", "By its teeth.")
    assert (first.modality, first.emotion, first.rejected_video) == ("audiovisual", "", None)
    assert (second.rejected_video, second.rejected_audio) == (folder / "l.mp4", folder / "l.wav")
    assert (second.modality, second.emotion) == ("audio", "anger")
    assert first.id != second.id
    assert {fault.kind for fault in problems([first], Needs(Negatives()))} == {"emotion unknown"}
    assert problems([first], Needs(Negatives("random"))) == problems([second], Needs(Negatives())) == []


@pytest.mark.parametrize(
    ("given_media", "modality", "replaced"),
    [
        ({"video_l": "l.mp4"}, "video", ("l.mp4", None)),
        ({"audio_l": "l.wav"}, "audio", (None, "l.wav")),
        ({"video_l": "l.mp4", "audio_l": "l.wav"}, "audiovisual", ("l.mp4", "l.wav")),
        ({"video_l": "l.mp4", "modality": "audiovisual"}, "audiovisual", ("l.mp4", "l.mp4")),
        ({"audio_l": "l.wav", "video_l": "", "modality": "audio"}, "audio", (None, "l.wav")),
        ({"audio_l": "l.wav", "video": None}, "audio", (None, "l.wav")),
    ],
)
def test_a_released_item_is_about_the_media_it_gives_rejected_ones_of(folder, given_media, modality, replaced):
    released = {"video": "a.mp4", "audio": "a.wav", "prompt": "<video>\n<audio>\nHow?", "chosen": "By its brows."}
    released |= {"rejected": "By the hat.", "rejected_2": "By its teeth."}
    path = folder / "prefs.json"
    path.write_text(json.dumps([released | given_media]))
    (record,) = read(path)
    assert record.modality == modality
    assert problems([record], Needs(Negatives())) == []
    (drawn,) = draw([record], Negatives(), seed=0)
    assert (drawn.video.path, drawn.audio.path) == tuple(name and folder / name for name in replaced)


def test_emotions_are_read_in_any_usual_spelling(folder):
    spelled = [*EMOTIONS, *ADJECTIVES.values(), *FURTHER_EMOTIONS, "Worried", "HAPPY"]
    path = lines(folder / "p.jsonl", *(item(str(i), name, video=f"{i % 2}.mp4") for i, name in enumerate(spelled)))
    emotions = [record.emotion for record in read(path)]
    assert set(emotions) == {*EMOTIONS, *FURTHER_EMOTIONS}
    assert emotions[-2:] == ["worry", "happiness"]


def fault(folder, negatives=None, responses=REJECTED[:2], **changes):
    """The problems of one record with something wrong, among good ones."""
    path = good(folder, item("3", **changes))
    return [(found.kind, found.reason) for found in problems(read(path), Needs(negatives or Negatives(), responses))]


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"video": "gone.mp4"}, "missing file", "gone.mp4"),
        ({"audio": "gone.wav"}, "missing file", "audio"),
        ({"rejected_video": "gone.mp4"}, "missing file", "rejected_video"),
        ({"video": "broken.mp4"}, "unreadable file", "broken.mp4"),
        ({"rejected_video": "a.wav"}, "no picture", "rejected_video"),
        ({"modality": "audio", "video": "silent.mp4"}, "no sound", "silent.mp4"),
        ({"modality": "audio", "rejected_video": "silent.mp4"}, "no sound", "rejected_video: "),
        ({"modality": "audiovisual", "video": "silent.mp4"}, "no sound", "silent.mp4"),
        ({"chosen": " "}, "empty text", "chosen"),
        ({"prompt": None}, "empty text", "prompt"),
        ({"rejected_emotion_relevant": ""}, "empty text", "rejected_emotion_relevant is"),
        ({"chosen": "By the hat. "}, "chosen equals rejected", "rejected_video_relevant and"),
        ({"emotion": "angre"}, "emotion unknown", "anger"),
        ({"emotion": ""}, "emotion unknown", "''"),
        ({"modality": "text"}, "modality unknown", "audiovisual"),
        ({"video": None, "audio": "a.wav"}, "no medium", "no video"),
        ({"video": None, "modality": "audio"}, "no medium", "no audio"),
        ({"prompt": "Look: <video> - how?"}, "media tag", "<video>"),
        ({"id": "1"}, "duplicate id", "same id"),
    ],
)
def test_every_fault_is_found_and_named(folder, changes, kind, said):
    ((found, reason),) = fault(folder, **changes)
    assert found == kind
    assert said in reason


def test_what_is_not_used_need_not_be_there(folder):
    assert fault(folder, negatives=Negatives("any_clip"), emotion="angre", rejected_video="gone.mp4") == []
    assert fault(folder, responses=("video_relevant",), rejected_emotion_relevant="") == []
    ((kind, reason), *rest) = fault(folder, responses=("irrelevant",), rejected_irrelevant="")
    assert (kind, reason) == ("empty text", "rejected_irrelevant is empty")
    assert len(rest) == 0 or {kind for kind, _ in rest} == {"empty text"}
    naive = problems(read(good(folder, item("3", emotion=""))))
    assert naive == []
    audio = {"modality": "audio", "rejected_video": "gone.mp4", "rejected_audio": "l.wav"}
    assert fault(folder, **audio) == []  # only the sound is asked about
    silent = {"video": "silent.mp4", "rejected_video": "silent.mp4"}
    assert fault(folder, **silent) == []
    assert fault(folder, video="silent.mp4", audio="a.wav", modality="audio") == []


def test_faults_of_the_released_layout_go_by_its_own_names(folder):
    released = {"video": "a.mp4", "prompt": "<video> How?", "chosen": "A", "rejected": "", "rejected_2": "B <video>"}
    path = folder / "prefs.json"
    path.write_text(json.dumps([released | {"video_l": "gone.mp4", "emotion": "anger"}]))
    found = sorted(fault.reason.split(" ")[0] for fault in problems(read(path), Needs(Negatives())))
    assert found == ["rejected", "rejected_2", "video_l:"]


@pytest.mark.parametrize(
    ("kind", "rejected"), [("video", [0, 2]), ("audio", [1, 2, 3])], ids=["a model that sees", "a model that hears"]
)
def test_a_model_of_one_medium_is_given_it_alone_and_rejects_it_alone(folder, kind, rejected):
    about = ("video", "audio", "audiovisual", "audio")
    items = [item(str(n), ("anger", "fear")[n % 2], video=f"{'ab'[n % 2]}.mp4", modality=about[n]) for n in range(4)]
    needs = Needs(Negatives(), model=ModelFacts(media=(kind,)))
    records = load(lines(folder / "p.jsonl", *items), None, BadRecords(folder / "out"), needs)
    scored = responses.Plan(records, Objective(beta_irrelevant=0.1), Negatives(), 0, 0)
    assert [n for n, one in enumerate(scored) if "rejected_media" in one.media] == rejected
    assert [n for n, one in enumerate(scored) if one.has_rejected_media] == rejected
    assert {source.kind for one in scored for response in one.with_media for source in response.sources} == {kind}
    for number in rejected:
        assert scored[number].media["rejected_media"].sources != scored[number].media["chosen"].sources
    assert [n for n, one in enumerate(scored) if "irrelevant" in one.changed] == sorted({0, 1, 2, 3} - {*rejected})


def test_a_record_without_the_models_only_medium_is_reported(folder):
    def fault_of(media, **fields):
        path, needs = good(folder, item("3", **fields)), Needs(Negatives(), model=ModelFacts(media=media))
        with pytest.raises(SystemExit):
            load(path, None, BadRecords(folder / "out"), needs)
        return (folder / "out" / BAD_RECORDS).read_text()

    deaf = fault_of(("video",), video=None, audio="a.wav", modality="audio")
    assert "the model takes video alone, and the record has none" in deaf
    blind = fault_of(("audio",), video="silent.mp4")
    assert "the model takes audio alone, and the record has none" in blind


MODEL = ModelFacts(("<|im_start|>", "<|im_end|>", "<|VIDEO|>"), "<|im_end|>")


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"chosen": "By its brows.<|im_end|>\n"}, "closing token", "chosen ends in '<|im_end|>'"),
        ({"prompt": "How?<|im_end|>"}, "mark of the model", "prompt holds '<|im_end|>'"),
        ({"chosen": "<|im_end|> no"}, "mark of the model", "chosen holds '<|im_end|>'"),
        ({"rejected_video_relevant": "A <|VIDEO|>"}, "mark of the model", "rejected_video_relevant holds"),
    ],
)
def test_marks_of_the_model_are_found_in_texts(folder, changes, kind, said):
    (found,) = problems(read(good(folder, item("3", **changes))), Needs(Negatives(), model=MODEL))
    assert found.kind == kind
    assert said in found.reason


def test_marks_are_those_of_the_tokenizer(tiny_avere, tiny_omni, backbone):
    omni, avere = loading.facts(tiny_omni), loading.facts(tiny_avere)
    assert {"<|VIDEO|>", "<|AUDIO|>", "<|im_start|>", "<|vision_bos|>", "<|endoftext|>"} <= set(omni.special)
    assert omni.closing == "<|im_end|>"
    assert ({"<s>", "</s>"} <= set(avere.special), avere.closing) == (True, "</s>")
    assert loading.facts(tiny_avere, backbone.processor) == avere


def test_what_may_not_be_meant_so_is_printed_and_trained_on(folder, capsys, make_clip):
    whole = make_clip(folder / "cut.mp4", faststart=True).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 7 // 10])
    path = good(
        folder,
        item("again"),
        item("turned", chosen="By the hat.", rejected_video_relevant="By its brows."),
        item("cut", "fear", video="cut.mp4", rejected_vidoe="l.mp4", note="mine"),
    )
    assert len(load(path, None, BadRecords(folder / "out"), Needs(Negatives()))) == 5
    printed = capsys.readouterr().err.splitlines()
    assert (
        f"{path}: unknown field: 'rejected_vidoe' in 1 records is not read; did you mean 'rejected_video'?" in printed
    )
    assert any("unknown field: 'note' in 1 records is not read; known: " in line for line in printed)
    assert f"{path}: repeated: 1 records; the first, 'again', says what '1' says" in printed
    assert f"{path}: contradictory: 3 records; the first, '1', rejects what 'turned' chooses" in printed
    assert any("damaged clip: " in line and "cut.mp4" in line for line in printed)
    assert len(printed) == 5
    load(path, None, BadRecords(folder / "out", prints=False), Needs(Negatives()))
    assert capsys.readouterr().err == ""


def test_no_clip_of_another_emotion(folder):
    alike = read(lines(folder / "p.jsonl", item("1"), item("2", video="b.mp4")))
    assert {(found.id, found.kind) for found in problems(alike, Needs(Negatives()))} == {
        ("1", "no clip of another emotion"),
        ("2", "no clip of another emotion"),
    }
    assert problems(alike, Needs(Negatives("any_clip"))) == []
    single = problems(alike[:1], Needs(Negatives("any_clip")))
    assert [found.kind for found in single] == ["no other clip"]
    # a bad record is nobody's rejected clip: without "2" there is none for "1"
    pair = read(lines(folder / "p.jsonl", item("1"), item("2", "fear", video="gone.mp4")))
    assert [(found.id, found.kind) for found in problems(pair, Needs(Negatives()))] == [
        ("1", "no clip of another emotion"),
        ("2", "missing file"),
    ]


def test_training_stops_at_a_bad_record_with_one_report_of_all(folder, capsys):
    many = [item(f"m{i}", video=f"gone{i}.mp4") for i in range(14)]
    path = good(folder, *many, item("t", chosen=""), '{"id": "broken"', '["no object"]', item("n", chosen=7))
    with pytest.raises(SystemExit) as stopped:
        load(path, None, BadRecords(folder / "out"), Needs(Negatives()))
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert "18 of 20 records" in printed
    assert "missing file: 14" in printed
    assert "m9:" in printed
    assert "m10:" not in printed
    assert "... and 4 more" in printed
    assert "line 18" in printed
    assert "on_bad_record=skip" in printed
    listed = [json.loads(line) for line in (folder / "out" / BAD_RECORDS).read_text().splitlines()]
    assert {row["id"] for row in listed} == {*(f"m{i}" for i in range(14)), "t", "line 18", "line 19", "line 20"}


def test_skipping_goes_on_with_the_good_ones_and_keeps_the_list(folder, capsys):
    path = good(folder, item("3", video="gone.mp4"), "{", item("1", chosen="Again."))
    records = load(path, None, BadRecords(folder / "out", "skip"), Needs(Negatives()))
    assert [record.id for record in records] == ["1", "2"]
    assert records[0].chosen == "By its brows."
    assert "Going on with the other 2" in capsys.readouterr().err
    listed = [json.loads(line)["id"] for line in (folder / "out" / BAD_RECORDS).read_text().splitlines()]
    assert listed == ["line 4", "3", "1"]
    assert load(good(folder), None, BadRecords(folder / "out", "skip"), Needs(Negatives()))[:] == records[:]
    assert not (folder / "out" / BAD_RECORDS).exists()  # of the run before


def test_one_of_several_processes_tells_of_bad_records(folder, capsys):
    path = good(folder, item("3", video="gone.mp4"))
    assert len(load(path, None, BadRecords(folder / "out", "skip", prints=False), Needs(Negatives()))) == 2
    with pytest.raises(SystemExit) as stopped:
        load(path, None, BadRecords(folder / "out", "stop", prints=False), Needs(Negatives()))
    assert stopped.value.code == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("", "no record"),
        ("[", "not readable"),
        ("[]", "no record"),
        ("hello", "unreadable"),
    ],
)
def test_a_file_that_is_none_stops_with_its_name(folder, capsys, content, said):
    path = folder / "prefs.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit):
        read(path)
    printed = capsys.readouterr().err
    assert str(path) in printed
    assert said in printed


@pytest.mark.parametrize("field", ["video", "audio", "rejected_video", "rejected_audio"])
@pytest.mark.parametrize(
    "named", ["/etc/passwd", "../a.mp4", "a/../../b.mp4", "a\0b", "x" * 5000, "/".join("ab" * 4000)]
)
def test_a_record_names_no_file_outside_its_folder(folder, field, named, capsys):
    path = good(folder, item("3", **{field: named}))
    with pytest.raises(SystemExit) as stopped:
        read(path)
    printed = capsys.readouterr().err
    assert stopped.value.code == 2
    assert f"line 3: field {field!r}" in printed
    assert "root=" in printed
    assert max(map(len, printed.splitlines())) < 1000


def test_absolute_paths_below_the_root_are_read(folder):
    path = good(folder, item("3", video=str(folder / "l.mp4")))
    assert read(path)[2].video == folder / "l.mp4"
    (folder / "records").mkdir()
    path = lines(folder / "records" / "prefs.jsonl", item("1", video=str(folder / "a.mp4")))
    assert read(path, folder)[0].video == folder / "a.mp4"


def test_no_record_left_and_unknown_policies_stop(folder, capsys):
    path = lines(folder / "p.jsonl", item("1", chosen=""))
    with pytest.raises(SystemExit):
        load(path, None, BadRecords(folder / "out", "skip"))
    assert "No record is left" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        load(path, None, BadRecords(folder / "out", "ignore"))
    assert "stop, skip" in capsys.readouterr().err


texts = st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1).filter(str.strip)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read(scratch, rows):
    items = [
        item(str(i), prompt=prompt, chosen=chosen, rejected_video_relevant=rejected)
        for i, (prompt, chosen, rejected) in enumerate(rows)
    ]
    listed = scratch / "list.json"
    listed.write_text(json.dumps(items, ensure_ascii=False), encoding="utf-8")
    records = read(lines(scratch / "p.jsonl", *items))
    assert [(r.prompt, r.chosen, r.rejected_video_relevant) for r in records] == rows
    assert list(read(listed)) == list(records)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(anything)
@settings(max_examples=40, deadline=None)
def test_no_content_ends_in_a_traceback(scratch, content):
    path = scratch / "any.json"
    path.write_text(json.dumps([item("1"), content, item("2", video=content, modality=content)]))
    try:
        records = read(path)
    except SystemExit:
        return
    assert {record.id for record in records} >= {"1", "2"}
    assert {found.id for found in problems(records, Needs(Negatives()))} <= {record.id for record in records}
