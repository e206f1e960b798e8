"""The prefix of a clip: causal attention without a mask, held once in memory; batches too large are halved."""

from dataclasses import replace

import pytest
import torch

from avere_requests import chat_requests, texts
from model_adapters.avere import prefix as prefixes
from model_adapters.avere import step_graph
from model_adapters.avere.adapter import AvereChat
from model_adapters.avere.growing_cache import ROOM
from model_adapters.avere.prefix import generate, one_piece_pays, run_prefix, score

CLIPS = 3


@pytest.fixture(scope="module")
def model(tiny_avere):
    return AvereChat(pretrained=str(tiny_avere)).model


@pytest.fixture(scope="module")
def prefix_inputs(model):
    """Ids with the media of `CLIPS` clips, and their features."""
    config, draw = model.config, torch.Generator().manual_seed(0)
    ids = [5, 6, 7, *[config.video_token_id] * 30, 8, *[config.audio_token_id] * 9, 9]
    sizes = ((CLIPS, count, config.text_config.hidden_size) for count in (30, 9))
    return ids, CLIPS, *(torch.randn(size, generator=draw) for size in sizes)


@pytest.fixture
def attentions(monkeypatch):
    """(is there a mask, is_causal, queries) of each attention that runs."""
    seen, attend = [], torch.nn.functional.scaled_dot_product_attention

    def spy(query, key, value, attn_mask=None, is_causal=False, **more):
        seen.append((attn_mask is not None, is_causal, query.shape[2]))
        return attend(query, key, value, attn_mask=attn_mask, is_causal=is_causal, **more)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    return seen


def test_in_one_piece_attention_is_causal_without_a_mask_and_the_values_are_the_same(
    model, prefix_inputs, attentions, monkeypatch
):
    held = {}
    for whole in (True, False):
        attentions.clear()
        monkeypatch.setattr(prefixes, "one_piece_pays", lambda *_, whole=whole: whole)
        held[whole] = run_prefix(model, *prefix_inputs)
        masked = {has_mask for has_mask, _, _ in attentions}
        assert masked == ({False} if whole else {False, True})
        assert ({(causal, queries) for _, causal, queries in attentions} == {(True, len(prefix_inputs[0]))}) == whole
    for one, other in zip(held[True].cache.layers, held[False].cache.layers, strict=True):
        torch.testing.assert_close(one.keys, other.keys, atol=1e-5, rtol=0)
        torch.testing.assert_close(one.values, other.values, atol=1e-5, rtol=0)


def test_the_system_text_runs_again_where_that_costs_less_than_the_mask():
    assert one_piece_pays(2188, 40, 16, 4096)  # AVERE-7B
    assert not one_piece_pays(77, 33, 16, 128)  # avere-nano: half of its prefix is system text
    assert one_piece_pays(77, 33, 1, 128)  # of one clip there is nothing to share


def nbytes(cache):
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)


@pytest.mark.parametrize("clip_of", [[0, 1, 2], [0, 0, 1, 2]])
@pytest.mark.parametrize("scored", [False, True])
def test_memory_holds_the_keys_and_values_of_the_last_rows_once(model, prefix_inputs, clip_of, scored):
    """Counted in the first layer, at the first forward of the suffixes."""
    peaks, results = {}, {}
    for last in (False, True):
        prefix = replace(run_prefix(model, *prefix_inputs), last=last)
        one_row, seen = nbytes(prefix.cache) // CLIPS, []

        def count(_, args, kwargs, prefix=prefix, seen=seen):
            caches = {id(cache): cache for cache in (prefix.cache, kwargs[prefixes.CACHE])}
            seen.append(sum(map(nbytes, caches.values())))

        hook = model.model.language_model.register_forward_pre_hook(count, with_kwargs=True)
        suffixes = [[11 + row, 12] for row in range(len(clip_of))]
        if scored:
            results[last] = score(model, prefix, clip_of, suffixes, [[13]] * len(clip_of))
        else:
            results[last] = generate(model, prefix, clip_of, suffixes, [3] * len(clip_of), eos=2)
        hook.remove()
        peaks[last] = seen[0] / one_row
    assert results[True] == results[False]
    assert peaks == {False: CLIPS + len(clip_of), True: len(clip_of)}


def test_steps_in_fixed_tensors_say_what_growing_ones_say(tiny_avere, prefix_inputs, device, monkeypatch):
    """On a GPU the steps are replayed from a recording; the room is filled once on the way, which records anew."""
    loaded = AvereChat(pretrained=str(tiny_avere), device=str(device), dtype="float32").model
    ids, clips, *features = prefix_inputs
    suffixes, limits = [[11, 12], [13], [14, 15, 16], [17]], [ROOM + 20, 3, ROOM + 9, ROOM]
    said, logits = {}, {}
    for recorded in (False, True):
        monkeypatch.setattr(step_graph, "pays", lambda *_, recorded=recorded: recorded)
        prefix = replace(run_prefix(loaded, ids, clips, *(one.to(device) for one in features)), last=True)
        logits[recorded] = []

        def kept(_, of_step, into=logits[recorded]):
            into.append(of_step.clone())
            return of_step

        said[recorded] = generate(loaded, prefix, [0, 0, 1, 2], suffixes, limits, eos=3, contrast=kept)
    assert said[True] == said[False]
    assert len(logits[True]) == len(logits[False]) == max(limits)
    for one, other in zip(logits[True], logits[False], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_steps_are_recorded_on_a_gpu_for_long_answers():
    gpu = torch.device("cuda")
    assert step_graph.pays(gpu, "sdpa", 1024)
    assert not step_graph.pays(gpu, "sdpa", 5)
    assert not step_graph.pays(gpu, "flash_attention_2", 1024)
    assert not step_graph.pays(gpu, "eager", 1024)
    assert not step_graph.pays(torch.device("cpu"), "sdpa", 1024)


def test_the_attention_that_a_model_loads_with_is_asked_for(tiny_avere, prefix_inputs, monkeypatch):
    asked = []
    monkeypatch.setattr(step_graph, "pays", lambda *about: asked.append(about))
    for name in ("sdpa", "eager"):
        model = AvereChat(pretrained=str(tiny_avere), device="cpu", attn_implementation=name).model
        prefix = run_prefix(model, *prefix_inputs)
        generate(model, prefix, [0], [[11]], [20], eos=3)
    assert [about[1:] for about in asked] == [("sdpa", 20), ("eager", 20)]


def test_a_batch_that_memory_has_no_room_for_is_halved(tiny_avere, make_clip, tmp_path, log):
    clips = [str(make_clip(tmp_path / f"{i}.mp4", seconds=1, tone=200.0 * (i + 1))) for i in range(3)]
    questions = ["Why? (A) tears (B) a hat", "Is it rain? (A) Yes (B) No"]
    docs = [{"video": clip, "text": text, "kind": "both"} for clip in [*clips, clips[0]] for text in questions]
    expected = AvereChat(pretrained=str(tiny_avere), batch_size=1)
    expected = texts(expected.generate_until(chat_requests(expected, docs)))
    adapter = AvereChat(pretrained=str(tiny_avere), batch_size=8)
    sizes = []

    def limited(_, args, kwargs):
        rows = kwargs["inputs_embeds"].shape[0]
        sizes.append(rows)
        if rows > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    adapter.model.model.language_model.register_forward_pre_hook(limited, with_kwargs=True)
    answers = texts(adapter.generate_until(chat_requests(adapter, docs)))
    again = texts(adapter.generate_until(chat_requests(adapter, docs)))
    assert answers == again == expected
    assert sum(rows > 3 for rows in sizes) == 2  # 8, then 4; never again after that
    assert sum("no memory for" in line for line in log) == 1


@pytest.mark.parametrize("tower", ["video_tower", "audio_tower"])
def test_a_batch_that_an_encoder_has_no_room_for_is_halved(tower, tiny_avere, make_clip, tmp_path, log):
    clips = [str(make_clip(tmp_path / f"{i}.mp4", seconds=1, tone=200.0 * (i + 1))) for i in range(8)]
    docs = [{"video": clip, "text": "Why? (A) tears (B) a hat", "kind": "both"} for clip in clips]
    expected = AvereChat(pretrained=str(tiny_avere), batch_size=1)
    expected = texts(expected.generate_until(chat_requests(expected, docs)))
    adapter = AvereChat(pretrained=str(tiny_avere), batch_size=8)
    sizes = []

    def limited(_, args):
        sizes.append(len(args[0]))
        if len(args[0]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    getattr(adapter.model.model, tower).register_forward_pre_hook(limited)
    answers = texts(adapter.generate_until(chat_requests(adapter, docs)))
    again = texts(adapter.generate_until(chat_requests(adapter, docs)))
    assert answers == again == expected
    assert sum(rows > 3 for rows in sizes) == 2  # 8, then 4; never again after that
    assert sum("no memory for" in line for line in log) == 1


def test_one_question_that_memory_has_no_room_for_is_the_end(tiny_avere):
    adapter = AvereChat(pretrained=str(tiny_avere), batch_size=2)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    adapter.model.model.language_model.register_forward_pre_hook(full)
    docs = [{"video": "", "text": text, "kind": "blind"} for text in ("What?", "Why?")]
    with pytest.raises(torch.OutOfMemoryError):
        adapter.generate_until(chat_requests(adapter, docs))
