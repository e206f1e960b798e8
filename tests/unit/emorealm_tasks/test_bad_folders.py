"""Folders that are full, missing, shared or damaged: what is kept in them is a help, and never a condition."""

import contextlib
import json
import tempfile
from pathlib import Path

import pytest
import soundfile

from emorealm_tasks import errors, files, media
from emorealm_tasks.benchmarks import availability
from emorealm_tasks.harness import media_log, messages
from emorealm_tasks.judge import batch, dispatch, live
from emorealm_tasks.judge import cache as judge_cache
from emorealm_tasks.judge.client import JudgeError
from emorealm_tasks.media import audio
from emorealm_tasks.settings import Settings
from faulty_server import FaultyServer
from model_adapters.external_worker.adapter import ExternalWorker


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Nothing was told in this process yet, and no spare folder is there."""
    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setattr(audio, "_spare", [])
    monkeypatch.setattr(judge_cache, "_unwritten", {})


@pytest.fixture(params=["a file", "below a file", "proc", "full"])
def bad(request, tmp_path, monkeypatch):
    """A folder that cannot be written."""
    (tmp_path / "file").write_text("no folder")
    if request.param == "full":
        fill(monkeypatch)
    return {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "below", "proc": Path("/proc/1/x")}.get(
        request.param, tmp_path / "full"
    )


def fill(monkeypatch, *spared):
    """From now on disks are full, but for what lies in the spared folders."""
    draft = files.draft

    @contextlib.contextmanager
    def full(path):
        if not any(path.is_relative_to(folder) for folder in spared):
            raise OSError(28, "No space left on device")
        with draft(path) as beside:
            yield beside

    monkeypatch.setattr(files, "draft", full)


def told(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if "emorealm: " in line]


def row(path):
    return {"clip": "c", "video": str(path), "audio": ""}


class TestProbes:
    def test_a_cache_that_cannot_be_written_is_told_once(self, bad, make_clip, tmp_path, capsys):
        clip = make_clip(tmp_path / "c.mp4", seconds=0.5)
        assert availability.find_problems([row(clip)], bad) == {}
        assert availability.find_problems([row(clip)], bad) == {}
        (line,) = told(capsys)
        assert "cannot be kept" in line

    @pytest.mark.parametrize("damage", ["", "[]", "5", '{"%s": 5}', '{"%s": {"stamp": 1}}', "[" * 100_000, "\0", "{"])
    def test_a_damaged_file_is_made_anew(self, damage, make_clip, tmp_path):
        clip = make_clip(tmp_path / "c.mp4", seconds=0.5)
        (tmp_path / availability.PROBES).write_text(damage.replace("%s", str(clip)))
        assert availability.find_problems([row(clip)], tmp_path) == {}
        assert json.loads((tmp_path / availability.PROBES).read_text())[str(clip)]["video"] is True

    def test_one_damaged_finding_costs_itself_alone(self, make_clip, tmp_path, monkeypatch):
        clips = [make_clip(tmp_path / f"{name}.mp4", seconds=0.5) for name in "ab"]
        assert availability.find_problems([row(clip) | {"clip": clip.name} for clip in clips], tmp_path) == {}
        kept = json.loads((tmp_path / availability.PROBES).read_text())
        kept[str(clips[0])]["stamp"] = "then"
        (tmp_path / availability.PROBES).write_text(json.dumps(kept))
        examined = []
        examine = availability.guard.examine_all
        monkeypatch.setattr(availability.guard, "examine_all", lambda files: examined.extend(files) or examine(files))
        assert availability.find_problems([row(clip) | {"clip": clip.name} for clip in clips], tmp_path) == {}
        assert examined == [str(clips[0])]


class TestWavs:
    def test_a_cache_that_cannot_be_written_has_a_stand_in_of_this_process(self, bad, make_clip, tmp_path, monkeypatch):
        spare = tmp_path / "spare"
        spare.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(spare))
        if bad.name == "full":
            monkeypatch.undo()
            monkeypatch.setattr(audio, "_spare", [str(spare)])
            fill(monkeypatch, spare)
        clip = make_clip(tmp_path / "c.mp4", seconds=0.5)
        wav = media.separate_wav(clip, bad)
        assert wav.is_relative_to(spare)
        assert soundfile.info(str(wav)).samplerate == 16000
        before = wav.stat().st_mtime_ns
        assert media.separate_wav(clip, bad) == wav
        assert wav.stat().st_mtime_ns == before

    def test_without_any_room_the_clip_fails(self, make_clip, tmp_path, monkeypatch, capsys):
        fill(monkeypatch)
        monkeypatch.setenv("EMOREALM_CACHE", str(tmp_path / "cache"))
        clip = make_clip(tmp_path / "c.mp4", seconds=0.5)
        with pytest.raises(media.MediaError, match=r"no room .* \(No space left on device\)"):
            media.separate_wav(clip, tmp_path)
        asked = {"video": str(clip), "audio": "", "question": "Why?", "choices": [], "task": "t", "prompt": ""}
        monkeypatch.setattr(messages, "doc_to_text", lambda doc: "Why?")
        (turn,) = messages.doc_to_messages(asked)
        assert [item.get("url") for item in turn["content"][:2]] == [str(clip)] * 2  # and no run is lost by it
        assert len(told(capsys)) == 1

    @pytest.mark.parametrize("damage", [b"", b"RIFF", b"x" * 5000])
    def test_a_damaged_wav_is_made_anew(self, damage, make_clip, tmp_path):
        clip = make_clip(tmp_path / "c.mp4", seconds=0.5)
        wav = media.separate_wav(clip, tmp_path)
        good = wav.read_bytes()
        wav.write_bytes(damage)
        assert media.separate_wav(clip, tmp_path).read_bytes() == good


class TestJudge:
    @pytest.fixture
    def server(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        running = FaultyServer()
        yield running
        running.stop()

    @staticmethod
    def settings(server, cache):
        return Settings(cache=cache, judge_model="m", judge_base_url=server.url)

    ITEMS = (live.Item("a smile", "She smiles."), live.Item("a smile", "She laughs."))

    def test_verdicts_that_were_paid_for_are_used(self, bad, server, capsys):
        settings = self.settings(server, bad)
        for _ in range(2):
            verdicts = live.judge(self.ITEMS, settings)
            assert [verdict.scores["clue"] for (verdict,) in verdicts] == [7, 7]
        assert len(server.asked) == 2
        assert sum("verdicts are not kept" in line for line in told(capsys)) == 1

    def test_a_fault_of_the_judge_that_nobody_expects_costs_no_description(self, server, tmp_path, monkeypatch):
        settings = self.settings(server, tmp_path)
        live.judge(self.ITEMS[:1], settings)
        monkeypatch.setattr(live, "judge", lambda items, settings, reasons: {}["a key"])
        records = [
            {"id": "", "raw": item.description, "reference": item.reference, "error": "", "truth": None, "verdicts": {}}
            for item in self.ITEMS
        ]
        assert dispatch.judge_records(records, settings, "live") == "the judge failed: KeyError: 'a key'"
        assert [bool(record["verdicts"][record["judge"]][0]) for record in records] == [True, False]

    def test_a_batch_that_could_not_be_noted_is_not_submitted(self, bad, server):
        with pytest.raises(JudgeError, match="batches cannot be noted"):
            batch.judge_by_batch(self.ITEMS, self.settings(server, bad))
        assert (server.asked, server.batches) == ([], {})

    def test_a_finished_batch_is_collected_all_the_same(self, server, tmp_path, monkeypatch, capsys):
        settings = self.settings(server, tmp_path)
        server.batch_status = "in_progress"
        with pytest.raises(batch.Pending):
            batch.judge_by_batch(self.ITEMS, settings)
        server.batch_status = "completed"
        fill(monkeypatch)
        assert all(verdict for (verdict,) in batch.judge_by_batch(self.ITEMS, settings))
        assert "is fetched again next time" in told(capsys)[-1]


class TestTemporaryFiles:
    def test_the_side_file_of_media(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        monkeypatch.delenv(media_log.VARIABLE, raising=False)
        media_log.start()
        media_log.append({"clip": "a", "audio": "a", "frames": 1, "times": [], "audio_seconds": 0.0})
        assert media_log.find("a", "a") is None
        assert len(told(capsys)) == 1

    def test_what_a_full_disk_cut_in_the_side_file_is_passed_over(self, tmp_path, monkeypatch):
        whole = {"clip": "b", "audio": None, "frames": 1, "times": [], "audio_seconds": 0.0}
        (tmp_path / "log").write_text('{"clip": "a", "au{"clip": "c"}\n5\n' + json.dumps(whole) + "\n" + '{"clip": "d"')
        monkeypatch.setenv(media_log.VARIABLE, str(tmp_path / "log"))
        assert media_log.find("b", None) == whole
        assert media_log.find("a", "a") is None

    @pytest.mark.parametrize("log", [None, "file/below.log"])
    def test_the_log_of_a_worker(self, tmp_path, monkeypatch, capsys, log):
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        echo = str(Path(__file__).parents[2] / "helpers" / "echo_worker.py")
        with pytest.raises(SystemExit) as caught:
            ExternalWorker(worker=echo, log=log and str(tmp_path / log), device="cpu")
        assert caught.value.code == 2
        (line,) = told(capsys)
        assert "log=" in line


def test_a_decoder_that_raises_what_nobody_expects_costs_its_questions(tiny_avere, clips, monkeypatch):
    from avere_requests import chat_requests
    from model_adapters.avere.adapter import AvereChat

    read, odd = media.read_audio, clips[1]

    def odd_one(path, rate=16000):
        if path == odd:
            raise ZeroDivisionError("a rate of 0 Hz")
        return read(path, rate)

    monkeypatch.setattr(media, "read_audio", odd_one)
    model = AvereChat(pretrained=str(tiny_avere), device="cpu", max_errors=0.5)
    docs = [{"video": clip, "kind": "audio", "text": "Why?"} for clip in clips]
    said = [answer.text for answer in model.generate_until(chat_requests(model, docs))]
    model.clean()
    assert said[1] == "[LMMS_EVAL_REQUEST_FAILED] ZeroDivisionError: a rate of 0 Hz"
    assert not any("FAILED" in text for text in (said[0], said[2]))
