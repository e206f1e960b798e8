"""Preference records whose rejected responses are those of the wrong ones that the text alone finds likeliest.

    emorealm-mini build --split train --preferences --out data/prefs --clips 800
    python tests/benchmarks/likely_negatives.py data/prefs --model model_adapters/avere_nano_2

Writes data/prefs/likely.jsonl. Wrong responses are drawn anew, eight times a record, where the form allows it; the
clip's cues say that each is wrong, and the base, asked without media, says which is likeliest. What came of training
on them is told in results/mini/README.md.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avem_train.backbones import base, loading
from avem_train.data.responses import Response
from avem_train.dpo import logprobs
from emorealm_tasks.mini.language import instructions, preferences
from emorealm_tasks.mini.world.sampling import Clip

REJECTED = ("rejected_video_relevant", "rejected_emotion_relevant")
DRAWS = 8
_REDRAWN = ("claim", "agreement", "description")
"""Forms of which a new draw for the same clip answers the same prompt."""
_BATCH = 64


def wrong(record: dict[str, Any], clip: Clip, seed: int) -> list[list[str]]:
    """For each of REJECTED the wrong responses that could stand there, the record's own first."""
    own = [record[name] for name in REJECTED]
    if record["form"] == "letters_basic":
        letters = [*own, record["rejected_irrelevant"]]
        return [letters, letters]
    if record["form"] not in _REDRAWN:
        return [[text] for text in own]
    (modality, *_) = [one for one in instructions.MODALITIES if clip.emotion(one) == record["emotion"]]
    drawn = [preferences.FORMS[record["form"]](np.random.default_rng([seed, n]), clip, modality) for n in range(DRAWS)]
    found = [answers[2:4] for answers in drawn if answers is not None]
    return [list(dict.fromkeys([text, *(answers[n] for answers in found)])) for n, text in enumerate(own)]


def likelihoods(model: base.Backbone, asked: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """(prompt, response) -> log-probability without media, nats."""
    asked = sorted(set(asked), key=lambda pair: len(pair[0]) + len(pair[1]))
    found: list[float] = []
    for start in range(0, len(asked), _BATCH):
        rows = [Response((), prompt, text) for prompt, text in asked[start : start + _BATCH]]
        with torch.no_grad():
            found += logprobs.score(model.model, model, rows).total.tolist()
    return dict(zip(asked, found, strict=True))


def likeliest(record: dict[str, Any], texts: list[list[str]], t: dict[tuple[str, str], float]) -> dict[str, Any]:
    """The record with the likeliest wrong responses, no response twice where there are others."""
    chosen: dict[str, str] = {}
    for name, candidates in zip(reversed(REJECTED), reversed(texts), strict=True):
        free = [text for text in candidates if text not in chosen.values()] or candidates
        chosen[name] = max(free, key=lambda text: t[record["prompt"], text])
    return record | chosen


def preferring_rejected(records: list[dict[str, Any]], t: dict[tuple[str, str], float]) -> float:
    """Percent of records whose emotion-relevant rejected response is likelier than the chosen one without media."""
    ahead = [t[r["prompt"], r["rejected_emotion_relevant"]] > t[r["prompt"], r["chosen"]] for r in records]
    return 100 * float(np.mean(ahead))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    given = parser.parse_args()
    built = json.loads((given.folder / "build.json").read_text())
    clips = [clip for clip, _ in preferences.planned(built["clips"], built["seed"])]
    records = [json.loads(line) for line in (given.folder / preferences.FILE).read_text().splitlines()]
    abouts = [clips[number // preferences.RECORDS_PER_CLIP] for number in range(len(records))]
    texts = [wrong(record, clip, number) for number, (record, clip) in enumerate(zip(records, abouts, strict=True))]
    model = loading.load(given.model, torch.device("cpu"), torch.float32, 0)
    pairs = [(r["prompt"], text) for r, both in zip(records, texts, strict=True) for one in both for text in one]
    t = likelihoods(model, [*pairs, *((r["prompt"], r["chosen"]) for r in records)])
    model.close()
    made = [likeliest(record, both, t) for record, both in zip(records, texts, strict=True)]
    (given.folder / "likely.jsonl").write_text("".join(json.dumps(record) + "\n" for record in made))
    changed = sum(before != after for before, after in zip(records, made, strict=True))
    before, after = preferring_rejected(records, t), preferring_rejected(made, t)
    print(f"{changed} of {len(made)} records changed")
    print(f"the text alone prefers the rejected response in {after:.1f}% of them, before in {before:.1f}%")


if __name__ == "__main__":
    main()
