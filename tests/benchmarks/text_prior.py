"""What a model prefers of preference records when it is asked without the media: what TPD (Section 4.2) is up against.

    emorealm-mini build --split train --preferences --out data/prefs --clips 800
    python tests/benchmarks/text_prior.py data/prefs/preferences.jsonl

Writes NAME.md to results/mini/: by form of the record and by verdict, mean log-probabilities in nats.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import torch

from avem_train.backbones import base, loading
from avem_train.data.responses import Response
from avem_train.dpo import logprobs
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preferences", type=Path)
    parser.add_argument("--model", type=Path, default=NANO)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "mini" / "text_prior.md")
    arguments = parser.parse_args()
    records = [json.loads(text) for text in arguments.preferences.read_text(encoding="utf-8").splitlines()]
    model = loading.load(arguments.model, torch.device("cpu"), torch.float32, 0)
    values = priors(model, records)
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
    text = f"# What {arguments.model.name} prefers without the clip\n\n{table(rows)}\n\nMeans over records, nats.\n"
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
