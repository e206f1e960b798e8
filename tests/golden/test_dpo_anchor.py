"""TRL's DPOTrainer on a tiny text model is the anchor of our naive DPO: same loss, same gradients.

So it is of `preference_loss`, which the training calls with the recipe's settings, and of which `naive_dpo_loss` is a
case.
"""

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from avem_train.objectives import (
    Objective,
    PreferenceLogps,
    Scored,
    naive_dpo_loss,
    objective_loss,
    preference_loss,
)

ROWS = [
    {"prompt": "why this anger", "chosen": " clenched fists show it", "rejected": " the red hat shows it"},
    {"prompt": "what is heard", "chosen": " a sob", "rejected": " a sob and a laugh over the phone"},
    {"prompt": "is it fear", "chosen": " no the lamp is merely there", "rejected": " yes"},
]
BETA = 0.3


@pytest.fixture(scope="module")
def tokenizer():
    words = sorted({word for row in ROWS for text in row.values() for word in text.split()})
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<unk>", "</s>", *words])}
    made = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = Whitespace()
    made.add_special_tokens(["</s>", "<pad>"])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def model(seed, size):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=size, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2
    )
    return LlamaForCausalLM(config)


@pytest.fixture(scope="module")
def trainer(tokenizer, tmp_path_factory):
    from trl import DPOConfig, DPOTrainer

    args = DPOConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")),
        beta=BETA,
        per_device_train_batch_size=len(ROWS),
        max_length=None,
        bf16=False,
        use_cpu=True,
        report_to="none",
    )
    policy, reference = model(0, len(tokenizer)), model(1, len(tokenizer))
    data = Dataset.from_list(ROWS)
    return DPOTrainer(policy, reference, args=args, train_dataset=data, processing_class=tokenizer)


def summed(scored, tokenizer, name):
    """Log-probabilities of each row's response, row by row: without padding, and without anything of TRL's."""
    sums = []
    for row in ROWS:
        prompt = tokenizer(row["prompt"])["input_ids"]
        ids = torch.tensor([tokenizer(row["prompt"] + row[name])["input_ids"] + [tokenizer.eos_token_id]])
        logs = scored(ids).logits[0, :-1].log_softmax(-1)
        sums.append(logs.gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum())
    return torch.stack(sums)


def as_trained(values):
    """The recipe naive_dpo's loss where the first record drew one rejected response and the others the other."""
    drawn = torch.tensor([True, False, False])
    sides = []
    for which in ("policy", "reference"):
        chosen, rejected = values[which, "chosen"], values[which, "rejected"]
        sides.append(PreferenceLogps(chosen, rejected.where(drawn, 0), rejected.where(~drawn, 0)))
    recipe = Objective(BETA, one_response=True, gamma_tpd=0, lambda_av=0)
    weights = {"video_relevant": drawn.float(), "emotion_relevant": (~drawn).float()}
    given = {name: getattr(recipe, name) for name in ("beta", "gamma_tpd", "lambda_av")}
    return preference_loss(*sides, None, weights, **given)[0]


def test_naive_dpo_is_trls(trainer, tokenizer):
    batch = next(iter(trainer.get_train_dataloader()))
    theirs = trainer.compute_loss(trainer.model, batch)
    values = {
        (which, name): summed(scored, tokenizer, name)
        for which, scored in (("policy", trainer.model), ("reference", trainer.ref_model))
        for name in ("chosen", "rejected")
    }
    expected = torch.autograd.grad(theirs, list(trainer.model.parameters()))
    for loss in (naive_dpo_loss(*values.values(), beta=BETA)[0], as_trained(values)):
        torch.testing.assert_close(loss.mean(), theirs, atol=1e-6, rtol=0)
        ours = torch.autograd.grad(loss.mean(), list(trainer.model.parameters()), retain_graph=True)
        for one, other in zip(ours, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    assert abs(theirs.item() - 0.6931) > 1e-3  # not the value that any loss has at the reference


@pytest.mark.parametrize("kind", ["hinge", "ipo", "robust"])
def test_other_margins_are_trls(kind, trainer, tokenizer, monkeypatch):
    monkeypatch.setattr(trainer, "loss_types", [kind])
    monkeypatch.setattr(trainer, "label_smoothing", 0.1)
    theirs = trainer.compute_loss(trainer.model, next(iter(trainer.get_train_dataloader())))
    policy, reference = (
        PreferenceLogps(*(summed(scored, tokenizer, name) for name in ("chosen", "rejected")))
        for scored in (trainer.model, trainer.ref_model)
    )
    lengths = [[len(tokenizer(row[name])["input_ids"]) + 1 for row in ROWS] for name in ("chosen", "rejected")]
    tokens = PreferenceLogps(*map(torch.tensor, lengths))
    objective = Objective(BETA, gamma_tpd=0, lambda_av=0, margin=kind, label_noise=0.1)
    ours, _ = objective_loss(Scored(policy, reference, tokens=tokens), {"video_relevant": 1.0}, objective)
    torch.testing.assert_close(ours.mean(), theirs, atol=1e-5, rtol=1e-5)
