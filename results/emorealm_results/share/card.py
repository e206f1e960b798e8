"""The card of published runs (README.md): what was run, how it was asked, what came out, and whose it is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from emorealm_results.console import markdown
from emorealm_results.rescore import side_by_side
from emorealm_results.rescore.table import LEGEND
from emorealm_results.runs import descriptions, recognition, request_settings
from emorealm_results.runs.headers import weights_of, when
from emorealm_results.runs.samples import FULL
from emorealm_results.share import licences
from emorealm_results.share.columns import SAMPLES, SCORES, Table
from emorealm_results.share.tables import Named, headers

HOME = "https://github.com/emorealm/emorealm"
_PAPER = """@inproceedings{chaubey2026avere,
  title = {AVERE: Improving Audiovisual Emotion Reasoning with Preference Optimization},
  author = {Chaubey, Ashutosh and Pang, Jiacheng and Siniukov, Maksim and Soleymani, Mohammad},
  booktitle = {International Conference on Learning Representations},
  year = {2026},
  url = {https://openreview.net/forum?id=td682AAuPr}
}"""


def render(repository: str, runs: Sequence[Named], scores: Sequence[Mapping[str, Any]]) -> str:
    """The card of some runs, Markdown with the hub's metadata before it. repository: org/name."""
    benchmarks = {(str(row["benchmark"]), bool(row["mini"])) for row in scores}
    parts = {
        "": f"# {repository.split('/')[-1]}\n\nReplies and scores of models that were asked about emotions in clips, "
        f"made with [emorealm]({HOME}), a plugin of lmms-eval.",
        "What was run": _table(["run", "model", "arguments", "date", "limit", "versions"], map(_run, runs)),
        "How the models were asked": _request_tables(runs),
        "Scores": _scores(runs),
        "How to load it": f'```python\nimport pandas as pd\n\nsamples = pd.read_parquet("hf://datasets/{repository}/'
        f'samples.parquet")\nscores = pd.read_parquet("hf://datasets/{repository}/scores.parquet")\n```',
        "Columns of samples": _columns(SAMPLES),
        "Columns of scores": _columns(SCORES),
        "Licence": _licence(benchmarks),
        "Citation": f"The benchmark and the method are those of this paper; the software is cited as its "
        f"[CITATION.cff]({HOME}/blob/main/CITATION.cff) says.\n\n```bibtex\n{_PAPER}\n```",
    }
    text = "\n\n".join(f"## {title}\n\n{part}" if title else part for title, part in parts.items() if part)
    metadata = yaml.safe_dump(_metadata(benchmarks), sort_keys=False)
    return f"---\n{metadata}---\n\n{text}\n"


def _metadata(benchmarks: set[tuple[str, bool]]) -> dict[str, Any]:
    return {
        "license": "apache-2.0" if all(mini for _, mini in benchmarks) else "other",
        "language": ["en"],
        "tags": ["emorealm", "lmms-eval", "emotion-recognition", "evaluation-results"],
        "configs": [
            {"config_name": name, "data_files": f"{name}.parquet", "default": name == "samples"}
            for name in ("samples", "scores")
        ],
    }


def _run(one: Named) -> list[str]:
    run_headers = list(headers(one.run))
    newest = run_headers[0]
    limits = sorted({f"{header['limit']:g}" for header in run_headers if (header["limit"] or 0) > 0})
    versions = {
        "lmms-eval": newest["lmms_eval_version"],
        "tasks": "/".join(sorted({str(of) for of in newest["task_versions"].values() if of is not None})),
    }
    scoring_versions = {f"{name} (scored)": version for name, version in one.report.get("installed", {}).items()}
    versions_text = ", ".join(f"{name} {version}" for name, version in (versions | scoring_versions).items() if version)
    model = licences.anonymous(" ".join(filter(None, (newest["model"], weights_of(newest)))))
    arguments = licences.anonymous(str(newest["model_args"]))
    dates = ", ".join(sorted({when(header) for header in run_headers}))
    return [licences.anonymous(one.name), model, arguments, dates, ", ".join(limits) or "none", versions_text]


def _request_tables(runs: Sequence[Named]) -> str:
    """A table for each run: settings and the tasks that were asked with them; "" where nothing is known of any."""
    blocks = []
    for one in runs:
        ways_of = request_settings.of_run(one.run)
        tasks_of: dict[str, list[str]] = {}
        for task in filter(ways_of.get, ways_of):
            tasks_of.setdefault(repr(sorted(ways_of[task].items())), []).append(task)
        for tasks in tasks_of.values():
            ways = ways_of[tasks[0]]
            rows = ([name, licences.anonymous(str(value))] for name, value in ways.items())
            blocks.append(f"{one.name}, {', '.join(tasks)}:\n\n{_table(['setting', 'value'], rows)}")
        if not tasks_of:
            blocks.append(f"{one.name}: {request_settings.UNKNOWN}.")
    return "\n\n".join(blocks)


def _scores(runs: Sequence[Named]) -> str:
    """What `emorealm table` prints: of questions a row a run, of the rest a table a run."""
    reports = {one.name: one.report for one in runs}
    question_reports = {name: report for name, report in reports.items() if "benchmarks" in report}
    any_full = any(FULL in parts for report in question_reports.values() for parts in report["benchmarks"].values())
    blocks = [side_by_side.render(question_reports), LEGEND] if any_full else []
    for name, report in reports.items():
        recognised = recognition.render(report.get("recognition", {}))
        suite_tables = [*filter(None, (recognised, descriptions.render(report.get("descriptions", {}))))]
        blocks += [f"# {name}", *suite_tables] if suite_tables else []
    return "\n\n".join(f"\n{block}".replace("\n# ", "\n### ").strip() for block in blocks)


def _licence(benchmarks: set[tuple[str, bool]]) -> str:
    lines = ["Clips are no part of this dataset."]
    if any(mini for _, mini in benchmarks):
        lines.append("Questions and answers of the embedded world (`mini` is true) are under the Apache License 2.0.")
    if published_names := sorted({name for name, mini in benchmarks if not mini}):
        terms = "; ".join(f"{name}: {licences.TERMS[name]}" for name in published_names)
        lines.append(
            f"Where `mini` is false the columns {', '.join(licences.WITHHELD)} are empty, because they are the "
            f"benchmark's: whoever has it joins them by benchmark, task and id. A reply may repeat some of its words. "
            f"The benchmarks' own terms: {terms}."
        )
    lines.append("Replies come from the models named above; their licences and terms hold for them.")
    return " ".join(lines)


def _columns(table: Table) -> str:
    return _table(["column", "type", "holds"], ([name, one.kind, one.holds] for name, one in table.items()))


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    return markdown.table([head, *rows])
