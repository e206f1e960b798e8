"""Every file that a command reads, damaged in every way: it works, or there is one short line and status 2."""

import copy
import json
import os
import shutil

import pytest
import torch

import board_folders
import recognition_runs
import run_folders
import studies
from avem_train import cli as avem_train
from avem_train.data import checks
from avem_train.data.bad_records import BadRecords
from avem_train.dpo import run_folder
from avem_train.nano import encoders
from avem_train.study import record
from emorealm_results import cli
from emorealm_results.paper import printed
from emorealm_tasks.benchmarks import availability, emorealm
from emorealm_tasks.harness import media_log
from emorealm_tasks.metrics.description import CRITERIA
from emorealm_tasks.mini import cli as mini
from emorealm_tasks.mini.build.split import complete

study = studies.study
DEEP = "[" * 100_000 + "]" * 100_000
BROKEN = {
    "garbage": bytes(range(256)) * 8,
    "list": b'[1, "a", null]',
    "text": b'"text"',
    "object": b'{"a": {"b": [1]}, "rows": 3}',
    "Latin-1": '{"model": "caf\u00e9"}'.encode("latin-1"),
    "deep": DEEP.encode(),
    "digits": b'{"model": ' + b"9" * 5000 + b"}",
    "NUL": b"\0" * 100,
    "escape": b'{"\x1b[31m\x1b]0;x": "\x1b[2J"',
    "empty": b"",
    "pipe": None,
    "folder": None,
}
WRONG = (None, True, -1, 1e400, "text\x1b[31m", [], {}, [[1]], {"a": {"b": 1}})


def put(path, broken):
    """Something else in the place of a file."""
    path.unlink(missing_ok=True)
    if broken == "pipe":
        os.mkfifo(path)
    elif broken == "folder":
        path.mkdir()
    else:
        path.write_bytes(BROKEN[broken])


def ends_well(run, capfd):
    """Whether the command works; it may else end in one short line and status 2, and in nothing else."""
    capfd.readouterr()
    try:
        status = run()
    except SystemExit as stopped:
        status = stopped.code
    said = capfd.readouterr().err
    assert status in (0, 1, 2, None)
    if status == 2:
        lines = said.strip().splitlines()  # of records that are bad there is a report
        assert any(line.startswith(("emorealm: ", "avem-train: ")) for line in lines), said
        assert max(map(len, lines)) < 1000
    assert not set(said) & {"\x1b", "\0"}
    assert "Traceback" not in said
    return status != 2


def nodes(value, path=()):
    """The places of all values in a JSON value, one of every kind of list item."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from nodes(inner, (*path, key))


def changed(content, path, wrong):
    """A copy of the content with another value at a place; `...` = without that key."""
    if not path:
        return wrong
    made = copy.deepcopy(content)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    if wrong is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = wrong
    return made


def each_wrong(path, run, capfd, most=400):
    """The command on the file with each of its values replaced by one of each other kind."""
    first, *others = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    content = json.loads(first)
    places = list(nodes(content))
    for number, place in enumerate(places[:: max(1, len(places) // most)]):
        for wrong in (*WRONG, ...)[number % 5 :: 5] if place else WRONG:
            path.write_text("\n".join([json.dumps(changed(content, place, wrong)), *others]))
            try:
                ends_well(run, capfd)
            except BaseException as error:
                raise AssertionError(f"{path.name}: {wrong!r} at {place}") from error


@pytest.fixture(scope="module")
def board(tmp_path_factory, make_clip):
    """Runs, questions and clips, written once: each test damages a copy."""
    folder = tmp_path_factory.mktemp("board")
    board_folders.write(folder, make_clip)
    return folder


@pytest.fixture
def world(tmp_path, monkeypatch, board):
    """A run, questions and clips, an empty folder of results to write to."""
    data = shutil.copytree(board, tmp_path / "data")
    monkeypatch.setenv("EMOREALM_JSON", str(data / "emorealm_v1.json"))
    monkeypatch.setenv("EMOREALM_VIDEOS", str(data / "videos"))
    monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("emorealm_results.commands.leaderboard._draw", lambda rows, out, reading: [])
    monkeypatch.setenv("EMOREALM_MEDIA_LOG", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_file(world, ending):
    rows = {"emorealm_mini_reasoning_basic_audio": run_folders.records("reasoning_basic_audio")}
    folder = run_folders.write(world / "run", rows)
    return next(folder.rglob(ending)), lambda verb: lambda: cli.main([verb, str(folder)])


def results(world, study):
    path, run = run_file(world, "*_results.json")
    return path, run("table")


def samples(world, study):
    path, run = run_file(world, "*.jsonl")
    return path, run("table")


def recognised(world, study):
    folder = recognition_runs.write(world / "run")
    return next(folder.rglob("*.jsonl")), lambda: cli.main(["table", str(folder)])


def described(world, study):
    verdicts = {"cues": [{"scores": dict.fromkeys(CRITERIA, 5), "reasons": {}}, None]}
    row = {"id": "1", "clip": "1.mp4", "task": "emer", "reference": "A smile.", "raw": "Tears.", "error": ""}
    row |= {"truth": {"present": ["smile"], "relevant": ["smile"], "emotions": ["happiness"]}, "judge": "cues"}
    folder = run_folders.write(world / "run", {"emer": [row | {"gold": "", "verdicts": verdicts}]})
    return next(folder.rglob("*.jsonl")), lambda: cli.main(["table", str(folder)])


def on_a_board(world):
    """The options of a small leaderboard, with one of the paper's tables: reading all of them is most of its time."""
    published = world / "published"
    if not published.exists():
        published.mkdir()
        for name in ("models.yaml", "table_05.yaml"):
            shutil.copy(printed.FOLDER / name, published)
    return ["--out", str(world / "out"), "--pictures", "0", "--published", str(published)]


def results_on_a_board(world, study):
    path, _ = run_file(world, "*_results.json")
    return path, lambda: cli.main(["leaderboard", str(world / "run"), *on_a_board(world)])


def rescored(world, study):
    path = world / "rescored.json"
    run_file(world, "*.jsonl")
    assert cli.main(["rescore", str(world / "run"), "--resamples", "20", "--json", str(path)]) == 0
    return path, lambda: cli.main(["leaderboard", str(path), *on_a_board(world)])


def of_study(world, study):
    path = world / "study.json"
    path.write_text(json.dumps(study))
    return path, lambda: cli.main(["study", str(path)])


def study_on_a_board(world, study):
    path, _ = of_study(world, study)
    return path, lambda: cli.main(["leaderboard", str(path), *on_a_board(world)])


def questions(world, study):
    path = world / "data" / "emorealm_v1.json"
    return path, lambda: bool(len(emorealm.read_file(path, world / "data" / "videos", None))) and 0


def sheet_questions(world, study):
    data = world / "data"
    row = {"task": "modality_agreement", "subtask": "", "video": "part_1/0.mp4", "question": "Why?", "answer": "A"}
    (data / "emorealm_v1.json").write_text(json.dumps([row | {"choices": ["(A) Yes", "(B) No"]}]))
    cue = {"modality": "video", "name": "smile", "matters": True}
    truth = {"clip": "part_1/0.mp4", "emotion_video": "anger", "emotion_audio": "anger", "cues": [cue]}
    (data / "cues.json").write_text(json.dumps([truth]))
    command = ["sheet", "--data", str(data), "--out", str(world / "sheet.png")]
    return data / "emorealm_v1.json", lambda: mini.main(command)


def sheet_cues(world, study):
    _, run = sheet_questions(world, study)
    return world / "data" / "cues.json", run


def build_record(world, study):
    path = world / "data" / "build.json"
    path.write_text('{"version": 1, "split": "train", "clips": 3, "seed": 0}')
    return path, lambda: bool(complete(world / "data")) and 0


def probes(world, study):
    files, cache = [str(world / "data/videos/part_1/0.mp4")], world / "cache"
    availability.probe_files(files, cache)
    return (
        cache / availability.PROBES,
        lambda: 0 if availability.incomplete(files, cache) == [] else 1,
    )


def media_given(world, study):
    path = world / "given.jsonl"
    entry = {"clip": "v", "audio": None, "frames": 3, "times": [0.0], "audio_seconds": 0.0}
    path.write_text(json.dumps(entry) + "\n")
    os.environ["EMOREALM_MEDIA_LOG"] = str(path)

    def find():
        media_log._entries.cache_clear()
        return bool(media_log.find("v", None)) and 0

    return path, find


def finished_run(world, study):
    path = world / "examined.json"
    path.write_text(json.dumps(next(iter(study["runs"].values()))))
    return path, lambda: bool(record.read_run(path)) and 0


def training_log(world, study):
    path = world / "log.jsonl"
    path.write_text('{"loss": 1.0, "step": 1}\n')
    return path, lambda: bool(len(run_folder.read_log(path))) and 0


def preference_records(world, study):
    path = world / "prefs.jsonl"
    row = {"id": "1", "video": "data/videos/part_1/0.mp4", "prompt": "Why?", "modality": "video", "emotion": "anger"}
    row |= {"chosen": "a", "rejected_video_relevant": "b", "rejected_emotion_relevant": "c"}
    path.write_text(json.dumps(row) + "\n")
    return path, lambda: bool(checks.load(path, None, BadRecords(world / "out"))) and 0


def recipe(world, study):
    path = world / "recipe.yaml"
    path.write_text(json.dumps({"program": "preference", "data": "none.jsonl", "out": "out", "model": "no/model"}))
    return path, lambda: avem_train.main(["run", str(path)])


def tower(world, study):
    path = world / "tower.pt"
    torch.save({"key": "k", "seconds": 3}, path)
    return path, lambda: bool(encoders.read_cached(path, "k")) and 0


FILES = [sheet_questions, sheet_cues, build_record, probes, media_given, finished_run, training_log, preference_records]
FILES += [recipe, results, samples, recognised, described, results_on_a_board, rescored, of_study]
FILES += [study_on_a_board, questions]
WHOLE_BOARDS = [of_study, study_on_a_board, results_on_a_board, rescored]
"""Where one command takes a third of a second."""


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("kind", FILES, ids=lambda kind: kind.__name__)
def test_another_file_in_its_place(kind, broken, world, study, capfd):
    path, run = kind(world, study)
    put(path, broken)
    ends_well(run, capfd)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_kept_tower_that_is_damaged_is_learnt_again(broken, world, study, capfd):
    path, run = tower(world, study)
    assert encoders.read_cached(path, "k") == {"seconds": 3}
    put(path, broken)
    assert ends_well(run, capfd)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES, ids=lambda kind: kind.__name__)
def test_another_value_in_each_place(kind, world, study, capfd):
    path, run = kind(world, study)
    assert ends_well(run, capfd) or kind is recipe  # whose data are not there
    each_wrong(path, run, capfd, most=12 if kind in WHOLE_BOARDS else 60)
