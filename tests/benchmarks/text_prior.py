"""What a model prefers of preference records when it is asked without the media: what TPD (Section 4.2) is up against.

    emorealm-mini build --split train --preferences --out data/prefs --clips 800
    python tests/benchmarks/text_prior.py data/prefs/preferences.jsonl

Writes results/mini/text_prior.md: by form of the record and by verdict, mean log-probabilities in nats; and how much
of the first gradient goes to records answered by letter, at each gamma_tpd of the kept study, with the Hall. that such
a share alone predicts from the rows of the study that differ in the share of letters; and that share for other forms of
the term (docs/text_prior.md).
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from avem_train.backbones import base, loading
from avem_train.data.responses import Response
from avem_train.dpo import logprobs
from avem_train.objectives import Objective, PreferenceLogps, Scored, forms, lowered
from emorealm_results.console.markdown import table
from model_adapters.base.embedded import NANO

ROOT = Path(__file__).resolve().parents[2]
RESPONSES = ("chosen", "rejected_video_relevant", "rejected_emotion_relevant")
_BATCH = 24


def form(record: dict) -> str:
    """What is asked; where the answer is yes or no, in words or by letter, also which one is right."""
    asked, chosen = record["form"], record["chosen"]
    if asked in ("letters_stress", "letters_agreement"):
        return f"{asked}: {'yes' if f'({chosen}) Yes' in record['prompt'] else 'no'}"
    return f"{asked}: {chosen.split()[0].strip(',.').lower()}" if asked in ("verdict", "agreement") else asked


def priors(model: base.Backbone, records: list[dict]) -> torch.Tensor:
    """Log-probabilities (records, RESPONSES) without media."""
    parts = []
    for start in range(0, len(records), _BATCH):
        asked = [Response((), r["prompt"], r[name]) for r in records[start : start + _BATCH] for name in RESPONSES]
        with torch.no_grad():
            parts.append(logprobs.score(model.model, model, asked).total.view(-1, len(RESPONSES)))
    return torch.cat(parts)


def line(name: str, values: torch.Tensor) -> list[str]:
    """One row of the table."""
    ahead = values[:, :1] - values[:, 1:]
    means = [f"{mean:.2f}" for mean in values.mean(0)]
    return [
        name,
        str(len(values)),
        *means,
        f"{ahead.mean():+.2f}",
        *(f"{100 * (one > 0).float().mean():.0f}" for one in ahead.T),
    ]


def share_of_letters(
    records: list[dict], lowered: torch.Tensor, of_records: float | None = None, balanced: bool = False
) -> float:
    """Letters' share of the first gradient, %: a record counts sigma(lowered), the policy being the reference.

    lowered: what the text prior takes off each margin. of_records: letters' share of the records; None = as it is here.
    """
    letters = torch.tensor([forms.is_letter(record["chosen"]) for record in records])
    weight = lowered.sigmoid() * (forms.balance(lowered, letters.tolist()) if balanced else 1)
    of_records = letters.float().mean().item() if of_records is None else of_records
    lettered, worded = of_records * weight[letters].mean(), (1 - of_records) * weight[~letters].mean()
    return 100 * (lettered / (lettered + worded)).item()


def logps(values: torch.Tensor) -> PreferenceLogps:
    """Columns in the order of RESPONSES."""
    return PreferenceLogps(*values.T)


def priors_compared(records: list[dict], values: torch.Tensor, tokens: torch.Tensor) -> list[list[str]]:
    """Rows: a form of the term, letters' share of the first gradient, and of 100 records how many it moves by 10%."""
    per_token = {"text_prior": "penalty", "length_normalised": True, "prior_bound": 1.0}
    settings = {
        "none": {"gamma_tpd": 0.0},
        "printed, 0.2": {},
        "penalty, 0.2": {"text_prior": "penalty"},
        "printed, 0.2, forms balanced": {"balance_forms": True},
        "penalty, 0.2, forms balanced": {"text_prior": "penalty", "balance_forms": True},
        **{
            f"penalty, a token's mean, bound 1, slope {slope:g}": per_token | {"gamma_tpd": slope}
            for slope in (1, 2, 4)
        },
    }
    rows = [["text prior", "letters' share of the first gradient, %", "records that count 10% more or less, %"]]
    for name, given in settings.items():
        objective = Objective(**given)
        text = logps(values)
        taken = lowered(Scored(text, text, text, tokens=logps(tokens)), objective.weights, objective)
        share = share_of_letters(records, taken, balanced=objective.balance_forms)
        moved = 100 * ((2 * taken.sigmoid() - 1).abs() > 0.1).float().mean().item()
        rows.append([name, f"{share:.1f}", f"{moved:.0f}"])
    return rows


def hall(study: dict, name: str, section: str) -> float:
    """Mean Hall. of a row's runs."""
    (runs,) = [row["runs"] for row in study["sections"][section] if row["name"] == name]
    return fmean(study["runs"][key]["scores"]["full"]["strict"]["group"]["hall"] for key in runs)


def doses(records: list[dict], values: torch.Tensor, study: dict) -> list[list[str]]:
    """Rows: gamma, letters' share of the first gradient, Hall. as measured, and as the share alone predicts it."""
    ahead = values[:, 0] - values[:, 1:].mean(1)
    swept = [
        (share_of_letters(records, 0.2 * ahead, share), hall(study, f"AVEm-DPO, {share:.0%} by letter", "choices"))
        for share in (0.2, 0.4, 0.6)
    ]  # these rows were trained with gamma_tpd 0.2
    shares = {gamma: share_of_letters(records, gamma * ahead) for gamma in (-0.5, -0.2, 0.0, 0.2, 0.5)}
    predicted = {gamma: float(np.interp(share, *zip(*swept, strict=True))) for gamma, share in shares.items()}
    rows = [["gamma_tpd", "letters' share of the first gradient, %", "Hall. against 0, measured", "by the share alone"]]
    for gamma, share in shares.items():
        measured = hall(study, f"gamma_tpd {gamma:g}", "text_prior") - hall(study, "gamma_tpd 0", "text_prior")
        rows.append([f"{gamma:g}", f"{share:.1f}", f"{measured:+.1f}", f"{predicted[gamma] - predicted[0.0]:+.1f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preferences", type=Path)
    parser.add_argument("--model", type=Path, default=NANO)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "mini" / "text_prior.md")
    arguments = parser.parse_args()
    records = [json.loads(text) for text in arguments.preferences.read_text(encoding="utf-8").splitlines()]
    model = loading.load(arguments.model, torch.device("cpu"), torch.float32, 0)
    values = priors(model, records)
    tokens = torch.tensor([[len(model.response(record[name])) for name in RESPONSES] for record in records]).float()
    model.close()
    places = defaultdict(list)
    for number, record in enumerate(records):
        places[form(record)].append(number)
    header = [
        "record",
        "records",
        "log p(chosen)",
        "log p(video-relevant)",
        "log p(emotion-relevant)",
        "chosen - mean of both",
    ]
    rows = [[*header, "chosen likelier than video-relevant, %", "than emotion-relevant, %"], line("all", values)]
    rows += [line(name, values[numbers]) for name, numbers in sorted(places.items())]
    study = json.loads((ROOT / "results" / "mini" / "study_validation.json").read_text(encoding="utf-8"))
    text = (
        f"# What {arguments.model.name} prefers without the clip\n\n{table(rows)}\n\nMeans over records, nats.\n\n"
        f"## What gamma_tpd does to the forms of answers\n\n{table(doses(records, values, study))}\n\n"
        "A record counts sigma(gamma_tpd dt) at the first step. Measured: five seeds, validation world; by the share "
        "alone: read off the rows of 20, 40 and 60% letters of the same world, one seed each, between them by a line."
        "\n\n"
        f"## Other forms of the term\n\n{table(priors_compared(records, values, tokens))}\n\n"
        "At the first step, of the response term. Balanced forms: the last column before the balance, which changes "
        "whole forms.\n"
    )
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
