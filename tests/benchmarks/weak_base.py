"""How weak an embedded base is, on the validation world: what the recipe mini_base_2 is for.

    python tests/benchmarks/weak_base.py model_adapters/avere_nano data/avere_nano_2

Writes results/mini/avere_nano_2.md: for each folder the study's own scores by letter (its examiner, 800 clips),
questions without options read by the first word of the answer, and how often the text alone prefers the hallucinated
response of a preference record. The paper's base stands above them as the target. The test world is not looked at.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import text_prior
import torch

from avem_train.backbones import loading
from avem_train.nano import encoders, train
from avem_train.nano.miniature import MODALITIES, Media, Miniature
from avem_train.nano.rendered_clips import rendered
from avem_train.nano.settings import AvereBase, Stage
from avem_train.nano.validation import letters
from avem_train.study import arms, program, record
from avem_train.study.examiner import Examiner
from emorealm_results.console.markdown import table
from emorealm_results.paper.layouts import GROUP
from emorealm_results.study.paper import of_model
from emorealm_tasks import settings
from emorealm_tasks.metrics import GROUP_SCORES
from emorealm_tasks.mini.build.plan import plan
from emorealm_tasks.mini.language import preferences
from emorealm_tasks.mini.world.sampling import generator

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("Basic", "Agree.", "Stress", "Spur.", "Hall.")
TARGETS = GROUP_SCORES[1:]
_CLIPS, _OPEN_CLIPS = 800, 240


def by_letter(folder: Path, place: Path) -> dict[str, float]:
    """The study's scores of a base on the validation world, percent."""
    examiner = Examiner(folder, program.built(place, "validation", _CLIPS, 0), "cpu", parts=("full",))
    scores = record.scores(examiner.answers()["full"])["strict"]["group"]
    examiner.close()
    return scores


def by_sentence(folder: Path) -> dict[str, float]:
    """Agreement's F1, and accuracy at spurious and hallucinated cues, of answers to questions without options, %."""
    none = Stage(steps=0, mix={})
    miniature = train.untrained(AvereBase(folder, none, none, none, none, begin_with=str(folder)))
    planned = [
        (clip, [question for question in about if "basic" not in question.task])
        for clip, about in plan(generator("validation", 0), _OPEN_CLIPS)
    ]
    clips, asked = zip(*((clip, about) for clip, about in planned if about), strict=True)
    states = {name: encoders.encode(miniature, name, rendered(clips, name, miniature)) for name in MODALITIES}
    return first_words(miniature, Media([*clips], states["video"], states["audio"]), [*asked])


def first_words(miniature: Miniature, media: Media, asked: list) -> dict[str, float]:
    """See `by_sentence`."""
    hits: dict[str, list[bool]] = {}
    for question, word in letters(miniature, media, asked, options=False):
        right = next(choice for choice in question.choices if choice[1] == question.answer)[4:].upper()
        hits.setdefault(question.subtask or right, []).append(word == right)
    share = {name: 100 * float(np.mean(one)) for name, one in hits.items()}
    yes, no = share["YES"], share["NO"]
    return {"agree": 2 * yes * no / max(yes + no, 1e-9), "spur": share["spurious"], "hall": share["hallucination"]}


def hallucinated(folder: Path, records: list[dict]) -> dict[str, float]:
    """Of 100 records, how many have a hallucinated response that is likelier than the chosen one without media."""
    model = loading.load(folder, torch.device("cpu"), torch.float32, 0)
    values = text_prior.priors(model, records)
    model.close()
    prefers = values[:, 2] > values[:, 0]
    lettered = torch.tensor([text_prior.forms.is_letter(row["chosen"]) for row in records])
    parts = {"all": torch.ones_like(lettered), "letters": lettered, "sentences": ~lettered}
    return {name: 100 * prefers[part].float().mean().item() for name, part in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--place", type=Path, default=settings.load().cache / "study", help="where worlds are kept")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "mini" / "avere_nano_2.md")
    arguments = parser.parse_args()
    records_of = program.built(arguments.place, "train", _CLIPS, 0, preferences.LETTERS) / preferences.FILE
    records = [json.loads(text) for text in records_of.read_text(encoding="utf-8").splitlines()]
    printed = of_model(arms.BASE)
    rows = [["base", *NAMES, "Agree., open", "Spur., open", "Hall., open"]]
    rows[0] += [f"by text, {name}" for name in ("all", "letters", "sentences")]
    rows.append(["paper's base, the target", *(f"{printed[GROUP, name]:.1f}" for name in TARGETS), *["–"] * 6])
    for folder in arguments.folders:
        scores, words = by_letter(folder.resolve(), arguments.place), by_sentence(folder.resolve())
        prior = hallucinated(folder.resolve(), records)
        numbers = [*(scores[name] for name in TARGETS), *words.values(), *prior.values()]
        rows.append([folder.name, *(f"{number:.1f}" for number in numbers)])
    text = (
        f"# Weak bases on the validation world\n\n{table(rows)}\n\nBy letter: {_CLIPS} clips, seed 0, greedy, strict "
        f"reading. Open: agreement and stress questions about {_OPEN_CLIPS} clips without their options, read by the "
        f"first word of the answer. By text: of {len(records)} preference records (seed 0), those whose hallucinated "
        "(emotion-relevant) response is likelier than the chosen one without media. Made by "
        "`python tests/benchmarks/weak_base.py`. The test world was not looked at.\n"
    )
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
