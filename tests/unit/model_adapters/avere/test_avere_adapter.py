"""AVERE behind lmms-eval: the same answers as one question at a time, each clip read once, and how it fails."""

import copy
import json
from collections import Counter

import pytest
import torch
from lmms_eval.api.instance import Instance

from avere_requests import TASK, chat_requests, inputs_of, option_requests, texts
from emorealm_tasks import media
from model_adapters.avere.adapter import AvereChat, AvereLikelihood
from model_adapters.avere.runner import Question
from model_adapters.base.media_refs import ClipFiles
from model_adapters.decoding.contrastive import contrasted, noise_seed
from model_adapters.decoding.diffusion import diffused
from model_adapters.decoding.modality_adaptive import QUERY, WORDS

QUESTIONS = ["Why is the person sad? (A) tears (B) a hat", "Is it rain? (A) Yes (B) No", "What?"]
KINDS = ("both", "video", "audio", "blind")


@pytest.fixture(scope="module")
def clips(make_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [str(make_clip(folder / f"{i}.mp4", seconds=1 + i / 2, tone=200.0 * (i + 1))) for i in range(3)]


@pytest.fixture(scope="module")
def docs(clips):
    """Every kind of question about every clip, clips and kinds interleaved."""
    return [{"video": clip, "text": text, "kind": kind} for text in QUESTIONS for clip in clips for kind in KINDS]


def one_at_a_time(model, doc, limit=5):
    inputs = inputs_of(model, doc)
    ids = model.model.generate(**inputs, max_new_tokens=limit, do_sample=False, eos_token_id=2, pad_token_id=0)
    return model.processor.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True).strip()


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4, 16, "auto"])
def test_answers_are_those_of_one_question_at_a_time(tiny_avere, docs, batch_size):
    model = AvereChat(pretrained=str(tiny_avere), batch_size=batch_size)
    answers = texts(model.generate_until(chat_requests(model, docs)))
    expected = [one_at_a_time(model, doc) for doc in docs]
    assert answers == expected
    assert len(set(expected)) > len(QUESTIONS) * len(KINDS)  # clips matter, so a mix-up would show


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 5])
def test_option_scores_are_those_of_the_whole_sequence(tiny_avere, docs, batch_size):
    model = AvereLikelihood(pretrained=str(tiny_avere), batch_size=batch_size)
    heard = [doc for doc in docs if doc["kind"] == "both"]
    options = [" A", " B", " tears (A) rain", " laughter"]
    scores = model.loglikelihood(option_requests(model, heard, options))
    expected = []
    for doc in heard:
        start = inputs_of(model, doc)["input_ids"].shape[1]
        for option in options:
            inputs = inputs_of(model, doc, option)
            logps = model.model(**inputs).logits[0, start - 1 : -1].log_softmax(-1)
            wanted = inputs["input_ids"][0, start:]
            expected.append((logps.gather(-1, wanted[:, None]).sum().item(), bool((logps.argmax(-1) == wanted).all())))
    assert [greedy for _, greedy in scores] == [greedy for _, greedy in expected]
    assert [logp for logp, _ in scores] == pytest.approx([logp for logp, _ in expected], abs=1e-4)
    assert all(logp < 0 for logp, _ in scores)


def test_what_greedy_decoding_says_is_greedy(tiny_avere, docs):
    model = AvereLikelihood(pretrained=str(tiny_avere))
    clip = ClipFiles(docs[0]["video"], docs[0]["video"])
    ids = inputs_of(model, docs[0])["input_ids"][0].tolist()
    said = dict(model.runner.generate([Question(clip, ids, limit=3)]))[0]
    options = [said, said[:1], [*said[:2], said[2] + 1], [said[0] + 1]]
    scores = dict(model.runner.score([Question(clip, ids, option=option) for option in options]))
    assert [scores[number][1] for number in range(4)] == [True, True, False, False]


def test_each_clip_is_decoded_and_encoded_once_in_a_run(tiny_avere, docs, clips, monkeypatch):
    read, encoded = Counter(), Counter()
    read_frames, read_audio = media.read_frames, media.read_audio
    monkeypatch.setattr(media, "read_frames", lambda path, n: read.update([("video", path)]) or read_frames(path, n))
    monkeypatch.setattr(media, "read_audio", lambda path: read.update([("audio", path)]) or read_audio(path))
    model = AvereChat(pretrained=str(tiny_avere), batch_size=3)
    for tower in ("video_tower", "audio_tower"):
        module = getattr(model.model.model, tower)
        module.register_forward_pre_hook(lambda _, args, tower=tower: encoded.update({tower: len(args[0])}))
    first = texts(model.generate_until(chat_requests(model, docs)))
    second = texts(model.generate_until(chat_requests(model, docs)))  # a later task of the run
    assert first == second
    assert read == {(kind, clip): 1 for kind in ("video", "audio") for clip in clips}
    assert encoded == {"video_tower": len(clips), "audio_tower": len(clips)}


@pytest.mark.slow
def test_without_a_feature_cache_the_answers_stay(tiny_avere, docs):
    kept = AvereChat(pretrained=str(tiny_avere), batch_size=4)
    bare = AvereChat(pretrained=str(tiny_avere), batch_size=4, feature_cache_gb=0)
    expected = texts(kept.generate_until(chat_requests(kept, docs)))
    assert texts(bare.generate_until(chat_requests(bare, docs))) == expected
    assert bare.encoder.store.bytes == 0


@pytest.mark.slow
def test_settings_are_left_as_they_were_and_limits_are_each_ones_own(tiny_avere, docs):
    model = AvereChat(pretrained=str(tiny_avere), batch_size=8)
    requests = chat_requests(model, docs)
    for number, request in enumerate(requests):
        request.args[2]["max_new_tokens"] = 1 + number % 4
    before = copy.deepcopy([request.args[2] for request in requests])
    results = model.generate_until(requests)
    assert [request.args[2] for request in requests] == before
    assert texts(results) == [one_at_a_time(model, doc, 1 + number % 4) for number, doc in enumerate(docs)]
    assert [result.token_counts.output_tokens <= 1 + n % 4 for n, result in enumerate(results)] == [True] * len(docs)


@pytest.mark.slow
def test_until_cuts_the_answer(tiny_avere, docs):
    model = AvereChat(pretrained=str(tiny_avere))
    whole = next(text for text in texts(model.generate_until(chat_requests(model, docs))) if len(text) > 2)
    doc = next(doc for doc in docs if one_at_a_time(model, doc) == whole)
    cut = model.generate_until(chat_requests(model, [doc], until=["never there", whole[2]]))[0].text
    assert cut == whole[: whole.index(whole[2])].strip()


@pytest.mark.parametrize("settings", [{"do_sample": True}, {"temperature": 0.1}, {"num_beams": 3}])
def test_sampling_is_refused(tiny_avere, docs, settings, capsys):
    model = AvereChat(pretrained=str(tiny_avere))
    with pytest.raises(SystemExit):
        model.generate_until(chat_requests(model, docs, **settings))
    assert "greedily" in capsys.readouterr().err


@pytest.mark.slow
def test_media_really_given_go_to_the_side_file(tiny_avere, docs, clips, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREALM_MEDIA_LOG", str(tmp_path / "media.jsonl"))
    model = AvereChat(pretrained=str(tiny_avere))
    model.generate_until(chat_requests(model, docs))
    lines = [json.loads(line) for line in (tmp_path / "media.jsonl").read_text().splitlines()]
    assert len(lines) == 3 * len(clips) + 1
    given = {(line["clip"], line["audio"]): line for line in lines}
    assert given[None, None]["frames"] == given[None, None]["audio_seconds"] == 0
    both = given[clips[0], clips[0]]
    assert both["frames"] == 4
    assert both["times"] == pytest.approx([0, 3 / 12, 7 / 12, 11 / 12], abs=1e-3)
    assert both["audio_seconds"] == pytest.approx(1.0, abs=0.1)
    assert given[None, clips[1]]["frames"] == 0
    assert given[clips[1], None]["audio_seconds"] == 0


def test_an_unreadable_clip_costs_its_own_questions_only(tiny_avere, docs, clips, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no mp4 at all" * 100)
    spoilt = [doc | {"video": str(broken)} if doc["video"] == clips[1] else doc for doc in docs]
    model = AvereChat(pretrained=str(tiny_avere), batch_size=4, max_errors=0.5)
    good = texts(model.generate_until(chat_requests(model, docs)))
    answers = texts(model.generate_until(chat_requests(model, spoilt)))
    for doc, answer, expected in zip(spoilt, answers, good, strict=True):
        if doc["video"] == str(broken) and doc["kind"] != "blind":
            assert answer.startswith("[LMMS_EVAL_REQUEST_FAILED]")
            assert "broken.mp4" in answer
        else:
            assert answer == expected


def test_too_many_unreadable_clips_end_the_run(tiny_avere, docs, tmp_path, capsys):
    model = AvereChat(pretrained=str(tiny_avere))
    spoilt = [*docs, {"video": str(tmp_path / "gone.mp4"), "text": "q", "kind": "both"}]
    with pytest.raises(SystemExit) as caught:
        model.generate_until(chat_requests(model, spoilt))
    assert caught.value.code == 2
    assert "gone.mp4" in capsys.readouterr().err


def test_a_failed_option_has_no_likelihood(tiny_avere, tmp_path):
    model = AvereLikelihood(pretrained=str(tiny_avere), max_errors=1)
    doc = {"video": str(tmp_path / "gone.mp4"), "text": "q"}
    assert model.loglikelihood(option_requests(model, [doc], [" A", " B"])) == [(float("-inf"), False)] * 2


def test_simple_answers_equal_chat_answers(tiny_avere, docs):
    heard = [doc for doc in docs if doc["kind"] == "both"]
    chat, simple = AvereChat(pretrained=str(tiny_avere)), AvereLikelihood(pretrained=str(tiny_avere))
    simple.task_dict[TASK] = {"test": heard}
    requests = [
        Instance(
            request_type="generate_until",
            arguments=(doc["text"], {"max_new_tokens": 5}, lambda doc: [doc["video"]], number, TASK, "test"),
            idx=0,
            metadata={"task": TASK, "doc_id": number, "repeats": 1},
        )
        for number, doc in enumerate(heard)
    ]
    assert texts(simple.generate_until(requests)) == texts(chat.generate_until(chat_requests(chat, heard)))


def test_clean_frees_the_model(tiny_avere, docs):
    model = AvereChat(pretrained=str(tiny_avere))
    model.generate_until(chat_requests(model, docs[:2]))
    model.clean()
    assert not hasattr(model, "model")
    assert not hasattr(model, "runner")


@pytest.mark.slow
def test_contrastive_decoding_is_that_of_the_whole_sequences(tiny_avere, docs):
    """Step by step without a cache: logits of both branches, contrasted by the formula; exact at alpha 0."""
    plain = AvereChat(pretrained=str(tiny_avere), batch_size=4)
    off = AvereChat(pretrained=str(tiny_avere), batch_size=4, vcd_alpha=0)
    expected = texts(plain.generate_until(chat_requests(plain, docs, max_new_tokens=3)))
    assert texts(off.generate_until(chat_requests(off, docs, max_new_tokens=3))) == expected
    strong = AvereChat(pretrained=str(tiny_avere), batch_size=4, vcd_alpha=2, vcd_step=900)
    answers = texts(strong.generate_until(chat_requests(strong, docs, max_new_tokens=3)))
    assert answers != expected
    for doc, answer in list(zip(docs, answers, strict=True))[:4]:
        assert contrasted_alone(strong, doc) == answer


def contrasted_alone(model, doc, limit=3):
    inputs = dict(inputs_of(model, doc))
    noisy = dict(inputs)
    for name, kind in (("pixel_values_videos", "video"), ("input_features", "audio")):
        if inputs.get(name) is not None:
            noisy[name] = diffused(inputs[name][0], 900, noise_seed(kind))[None]
    new = []
    while len(new) < limit and new[-1:] != [2]:
        branches = []
        for branch in (inputs, noisy):
            ids = torch.cat([branch["input_ids"], torch.tensor([new], dtype=torch.long)], 1)
            logits = model.model(**branch | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits
            branches.append(logits[:, -1])
        has_media = doc["kind"] != "blind"
        chosen = contrasted(*branches, 2.0, 0.1) if has_media else branches[0]
        new.append(chosen.argmax().item())
    return model.processor.tokenizer.decode([i for i in new if i != 2], skip_special_tokens=True).strip()


@pytest.mark.slow
def test_modality_adaptive_decoding_is_that_of_the_whole_sequences(tiny_avere, docs):
    """Step by step without a cache, all four branches and the question about the question."""
    plain = AvereChat(pretrained=str(tiny_avere), batch_size=4)
    model = AvereChat(pretrained=str(tiny_avere), batch_size=4, mad_gamma=3)
    expected = texts(plain.generate_until(chat_requests(plain, docs, max_new_tokens=3)))
    answers = texts(model.generate_until(chat_requests(model, docs, max_new_tokens=3)))
    assert answers != expected
    one_at_a_time = AvereChat(pretrained=str(tiny_avere), batch_size=1, mad_gamma=3)
    assert texts(one_at_a_time.generate_until(chat_requests(one_at_a_time, docs, max_new_tokens=3))) == answers
    for doc, answer, without in zip(docs, answers, expected, strict=True):
        assert answer == (adaptive_alone(model, doc, 3.0) if doc["kind"] == "both" else without)
    likely = AvereLikelihood(pretrained=str(tiny_avere), mad_gamma=3)
    with pytest.raises(SystemExit):
        likely.loglikelihood(option_requests(likely, docs[:1], [" A"]))
    with pytest.raises(SystemExit):
        AvereChat(pretrained=str(tiny_avere), mad_gamma=1, vcd_alpha=1)


def adaptive_alone(model, doc, gamma, limit=3):
    def logits(asked, new):
        inputs = dict(inputs_of(model, asked))
        ids = torch.cat([inputs["input_ids"], torch.tensor([new], dtype=torch.long)], 1)
        return model.model(**inputs | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits[0, -1]

    words = [model.processor.tokenizer.encode(word, add_special_tokens=False)[0] for word in WORDS]
    audio, video, both = logits(doc | {"text": QUERY + doc["text"]}, [])[words].softmax(-1).tolist()
    weights = (2 + 2 * gamma * both, 1 - gamma * (both - video), 1 - gamma * (both - audio), -gamma * (video + audio))
    new = []
    while len(new) < limit and new[-1:] != [2]:
        branches = [logits(doc | {"kind": kind}, new) for kind in ("both", "video", "audio", "blind")]
        new.append(sum(weight * one for weight, one in zip(weights, branches, strict=True)).argmax().item())
    return model.processor.tokenizer.decode([i for i in new if i != 2], skip_special_tokens=True).strip()
