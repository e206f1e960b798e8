"""Every objective in the real loop, on a model of random weights: what is asked, of whom, and that it trains."""

import contextlib
import json
import math
from dataclasses import replace

import pytest
import torch

from avem_train import config
from avem_train.data import checks
from avem_train.data.negatives import Negatives, changed, draw
from avem_train.dpo import logprobs, scoring, train
from avem_train.dpo.arguments import training_arguments
from avem_train.dpo.dataset import PreferenceDataset
from avem_train.dpo.settings import DpoSettings, Running
from avem_train.dpo.settings_parts import Optimiser
from avem_train.objectives import Objective, objective_loss

FAST = Optimiser(learning_rate=1e-2, batch=2, accumulation=1, steps=1)
EVERYTHING = Objective(
    text_prior="penalty",
    length_normalised=True,
    prior_bound=1,
    balance_forms=True,
    lambda_blind=1,
    anchor=1,
    lambda_anchor=1,
    lambda_ce=1,
    beta_relevant=0.05,
    beta_irrelevant=0.02,
    lambda_swapped=1,
)


@pytest.fixture
def settings(tiny_avere, preference_file, tmp_path):
    """Four of the fixture's records; the first brings a clip in which a rejected response is right."""
    rows = [json.loads(line) for line in preference_file.read_text().splitlines()]
    rows[0] |= {"modality": "video", "rejected_video": rows[1]["video"], "right_under_rejected": "emotion_relevant"}
    rows[0] |= {"chosen": "A", "rejected_video_relevant": "B", "rejected_emotion_relevant": "C"}
    own = preference_file.with_name("objectives.jsonl")
    own.write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))
    running = Running(device="cpu", save_every=0, tensorboard=False, reference=str(tmp_path / "kept"))
    return DpoSettings(own, tmp_path / "out", str(tiny_avere), optimiser=FAST, running=running)


def recipes():
    named = {name: config.read(name, []) for name in config.shipped()}
    return [name for name, content in named.items() if content["program"] == "preference"]


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes())
def test_every_shipped_recipe_trains(name, settings, backbone):
    content = config.read(name, [])
    content = {"objective": content["objective"], "negatives": content["negatives"]}
    filled = config.from_mapping(DpoSettings, content | {"data": "d", "out": "o"})
    trained = train.train(replace(settings, objective=filled.objective, negatives=filled.negatives), backbone)
    assert trained.steps == 1
    assert math.isfinite(trained.metrics["loss"])
    assert 0 <= trained.metrics["gradient/letters"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("ways", [{"packed": False}, {"keep_reference": False}], ids=["plain", "live"])
def test_every_term_is_the_same_packed_or_not_cached_or_not(ways, settings, backbone, tmp_path, monkeypatch):
    fresh = train.adapters

    @contextlib.contextmanager
    def moved(*given):
        """The policy is not the reference: else no accuracy is more than rounding."""
        with fresh(*given) as model:
            generator = torch.Generator().manual_seed(7)
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.data.normal_(std=0.05, generator=generator)
            yield model

    monkeypatch.setattr(train, "adapters", moved)
    objective = replace(EVERYTHING, balance_forms=ways.get("keep_reference", True))
    usual = replace(settings, objective=objective)
    other = replace(usual, out=tmp_path / "other", running=replace(settings.running, **ways))
    wanted, found = (train.train(one, backbone).metrics for one in (usual, other))
    assert {f"loss/{name}" for name in ("blind", "anchor", "mdpo_anchor", "ce", "swapped")} < set(wanted)
    wanted = {name: value for name, value in wanted.items() if not name.endswith("_per_second")}
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-3, abs=1e-4)


def test_a_batch_has_what_its_objective_asks_for(settings, backbone):
    records = checks.read(settings.data)
    dataset = PreferenceDataset(records, EVERYTHING, Negatives(), 0, backbone)
    dataset.cached = train.cached_logps(replace(settings, objective=EVERYTHING), training_arguments(settings), dataset)
    planned = dataset.responses(0)
    with train.adapters(settings, backbone) as model:
        asked = scoring.Scoring(model, model.disable_adapter, dataset, torch.device("cpu"))
        scored, _ = asked.scored(planned[:3], [0, 1, 2])
    about = [record.modality for record in records[:3]]
    assert scored.has_irrelevant.tolist() == [float(modality != "audiovisual") for modality in about]
    assert scored.swapped_of["emotion_relevant"].tolist() == [1, 0, 0]
    assert scored.tokens.chosen.tolist() == [len(backbone.response(record.chosen)) for record in records[:3]]
    # fresh adapters change nothing: each model is the frozen one
    torch.testing.assert_close(scored.blind.chosen, scored.text.chosen)
    torch.testing.assert_close(scored.policy.chosen, scored.reference.chosen)
    with torch.no_grad():
        right = planned[0].changed["relevant"]["video_relevant"]
        torch.testing.assert_close(
            scored.relevant_changed.video_relevant[0], logprobs.score(backbone.model, backbone, [right]).total[0]
        )
    assert right.sources[0].path == str(records[1].video)
    weights = {name: torch.full((3,), 0.5) for name in EVERYTHING.responses}
    assert objective_loss(scored, weights, EVERYTHING)[0].isfinite().all()


def test_every_batch_makes_as_many_passes_whatever_its_records_have(settings, backbone, monkeypatch):
    """Else processes that share a model wait for each other for ever."""
    records = checks.read(settings.data)
    dataset = PreferenceDataset(records, EVERYTHING, Negatives(), 0, backbone)
    planned, score, passes = dataset.responses(0), logprobs.score, []
    monkeypatch.setattr(logprobs, "score", lambda *given, **more: passes.append(1) or score(*given, **more))
    counts = []
    with train.adapters(settings, backbone) as model:
        asked = scoring.Scoring(model, model.disable_adapter, dataset, torch.device("cpu"))
        for number in (0, 2):
            passes.clear()
            scored, _ = asked.scored(planned[number : number + 1], [number])
            counts.append((len(passes), scored.has_irrelevant.item()))
    (first, with_), (second, without) = counts
    assert first == second
    assert (with_, without) == (1, 0)
    assert scored.irrelevant_changed.chosen.tolist() == [0]


def test_what_a_prompt_is_not_about_changes_alone(settings):
    records, other = checks.read(settings.data), Negatives(change="other")
    assert changed(records[0], other) == ("audio",)
    media = draw(records, other, 0)[0]
    assert (media.video.kind, media.audio.kind) == ("own", "file")
    both = next(record for record in records if record.modality == "audiovisual")
    assert changed(both, other) == ()


def test_a_record_without_a_clip_to_change_the_rest_to_is_named(settings):
    """Every clip but its own has no sound: there is nothing to put in the place of what the prompt is not about."""
    (first,) = [replace(record, audio=None) for record in checks.read(settings.data)[:1]]
    needs = checks.Needs(Negatives("any_clip"), irrelevant=Negatives("any_clip", "other"))
    assert {problem.kind for problem in checks.problems([replace(first, rejected_video=None)], needs)} == {
        "no other clip"
    }
    only = replace(first, rejected_video=None, rejected_audio=None, emotion="")
    assert [problem.id for problem in checks.problems([only], replace(needs, negatives=None))] == [first.id]


def test_media_that_only_the_policy_is_asked_about_are_read_ahead(settings, backbone):
    records = checks.read(settings.data)
    planned = PreferenceDataset(records, EVERYTHING, Negatives(), 0, backbone).responses(0)[0]
    assert len(planned.with_media) == len(planned.media) + 3 + 3
    assert not {one for of in planned.changed.values() for one in of.values()} & set(planned.all) - set(
        planned.media.values()
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"right_under_rejected": "chosen"}, "right_under_rejected: expected one of video_relevant"),
        ({"right_under_rejected": "irrelevant", "rejected_video": None}, "needs rejected_video or rejected_audio"),
        ({"right_under_rejected": 3}, "expected text"),
    ],
)
def test_a_wrong_word_on_what_is_right_elsewhere_is_named(row, said, settings, capsys):
    first = json.loads(settings.data.read_text().splitlines()[0])
    settings.data.write_text(json.dumps(first | row) + "\n")
    with pytest.raises(SystemExit):
        checks.read(settings.data)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"running": Running(keep_reference=False), "objective": EVERYTHING}, "keep_reference=true"),
        ({"negatives": Negatives("random"), "objective": Objective(lambda_swapped=1)}, "negatives.kind=other_emotion"),
    ],
)
def test_settings_that_cannot_go_together_are_refused(changes, said, settings):
    with pytest.raises(ValueError, match=said):
        replace(settings, **changes)
