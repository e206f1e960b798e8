"""What lmms-eval's response cache takes for the same question: clips and weights count, and failures are not kept."""

import os

import pytest
from lmms_eval.api.instance import GenerationResult, Instance
from lmms_eval.caching.response_cache import ResponseCache

from emorealm_tasks import errors
from emorealm_tasks.harness import response_cache

OURS, FOREIGN = "emorealm_mini_modality_agreement", "mmlu"


class Model:
    """Numbers its answers; what it does not know the answer to fails."""

    def __init__(self, docs, fingerprint="weights 1", failing=(), killed_at=None):
        self.task_dict = {task: {"test": docs} for task in (OURS, FOREIGN)}
        self.asked, self.failing, self.killed_at = [], failing, killed_at
        if fingerprint:
            self.fingerprint = fingerprint

    def generate_until(self, requests):
        assert all(request.args[0] == "Why?" for request in requests)  # what it is handed is what it would be without
        said = "[LMMS_EVAL_REQUEST_FAILED] the card is full"
        answers = []
        for one in requests:
            if one.doc_id == self.killed_at:
                raise KeyboardInterrupt
            self.asked.append(one.doc_id)
            answers.append(GenerationResult(said if one.doc_id in self.failing else f"{one.doc_id}!"))
            response_cache.keep(one, answers[-1])
        return answers

    def loglikelihood(self, requests):
        self.asked += [request.doc_id for request in requests]
        return [(float("-inf") if one.doc_id in self.failing else -0.5, False) for one in requests]


@pytest.fixture
def clips(tmp_path):
    files = [tmp_path / f"{number}.mp4" for number in range(2)]
    for file in files:
        file.write_bytes(b"film")
        os.utime(file, (0, 0))
    return files


@pytest.fixture
def run(tmp_path, clips):
    """One run over questions 0 and 1 about a clip each, and 2, which has none: the model and its answers."""
    response_cache.register()
    response_cache.register()  # a second call must not stamp twice
    docs = [{"video": str(path), "audio": ""} for path in clips] + [{"video": "", "audio": ""}]

    def once(task=OURS, reqtype="generate_until", cache=None, **model):
        model = Model(docs, **model)
        middle = (None, {"temperature": 0}) if reqtype == "generate_until" else ("(A)", None)
        requests = [
            Instance(
                request_type=reqtype,
                arguments=("Why?", *middle, number, task, "test"),
                idx=0,
                metadata={"task": task, "doc_id": number, "repeats": 1},
            )
            for number in range(3)
        ]
        cache = ResponseCache.create(str(cache or tmp_path / "cache"), model="m", model_args="batch_size=1")
        if cache is None:  # as lmms-eval does
            answers = getattr(model, reqtype)(requests)
        else:
            try:
                answers = cache.execute(model, reqtype, requests)
            except KeyboardInterrupt:
                cache.finalize(success=False)
                raise
            cache.finalize(success=True)
        assert [len(request.args) for request in requests] == [6] * 3
        return model.asked, [getattr(answer, "text", answer) for answer in answers]

    return once


def test_a_second_run_asks_nothing(run):
    assert run() == ([0, 1, 2], ["0!", "1!", "2!"])
    assert run() == ([], ["0!", "1!", "2!"])


def test_a_changed_clip_is_asked_about_again(run, clips):
    run()
    os.utime(clips[1], (1, 1))
    assert run()[0] == [1]
    clips[0].write_bytes(b"another film")
    os.utime(clips[0], (0, 0))
    assert run()[0] == [0]


def test_other_weights_are_asked_everything(run):
    run()
    assert run(fingerprint="weights 2")[0] == [0, 1, 2]
    assert run(fingerprint="weights 2", task=FOREIGN)[0] == [0, 1, 2]
    assert run(fingerprint="weights 2", task=FOREIGN)[0] == []


def test_another_way_of_handing_over_the_sound_is_another_question(run, monkeypatch):
    run()
    monkeypatch.setenv("EMOREALM_AV_MODE", "video")
    assert run()[0] == [0, 1, 2]


def test_a_failure_is_returned_and_tried_again(run):
    _, answers = run(failing=[1])
    assert answers == ["0!", "[LMMS_EVAL_REQUEST_FAILED] the card is full", "2!"]
    assert run() == ([1], ["0!", "1!", "2!"])


def test_a_likelihood_that_could_not_be_had_is_tried_again(run):
    assert run(reqtype="loglikelihood", failing=[0])[1][0] == (float("-inf"), False)
    asked, answers = run(reqtype="loglikelihood")
    assert (asked, list(map(list, answers))) == ([0], [[-0.5, False]] * 3)


def test_what_a_broken_off_run_was_told_is_not_asked_again(run):
    with pytest.raises(KeyboardInterrupt):
        run(killed_at=2, failing=[0])
    assert run() == ([0, 2], ["0!", "1!", "2!"])
    assert run() == ([], ["0!", "1!", "2!"])


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/1/nowhere"])
def test_without_a_place_for_the_cache_the_run_goes_on(run, tmp_path, place, monkeypatch, capsys):
    monkeypatch.setattr(errors, "_warned", set())
    (tmp_path / "file").write_text("not a folder")
    assert run(cache=tmp_path / place) == ([0, 1, 2], ["0!", "1!", "2!"])
    assert capsys.readouterr().err.count("--use_cache: it cannot be used") == 1


def test_a_damaged_database_costs_itself(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(errors, "_warned", set())
    left = tmp_path / "cache" / "runs" / "killed" / "rank_0.db"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"no database, although its name says so" * 100)
    assert run()[0] == [0, 1, 2]
    assert run()[0] == []
    assert "--use_cache" in capsys.readouterr().err


def test_a_run_killed_as_it_began_costs_no_other(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(errors, "_warned", set())
    with pytest.raises(KeyboardInterrupt):
        run(killed_at=2)
    left = tmp_path / "cache" / "runs" / "killed" / "rank_0.db"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"")
    assert run()[0] == [2]
    assert "--use_cache" not in capsys.readouterr().err


def test_a_full_disk_under_the_cache_costs_no_answer(run, monkeypatch, capsys):
    def full(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setattr("os.fsync", full)  # where each answer's line goes to disk
    assert run()[1] == ["0!", "1!", "2!"]
    assert capsys.readouterr().err.count("No space left on device") == 1


def test_foreign_models_and_tasks_are_left_alone(run):
    assert run(task=FOREIGN, fingerprint="")[0] == [0, 1, 2]
    assert run(task=FOREIGN, fingerprint="")[0] == []
