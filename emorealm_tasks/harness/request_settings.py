"""How the model of a run was asked: noted by its adapter, kept with the results, held against another run's.

In a results file, for each task: {"asked": {TASK: {"frames": 16, "interleave": false, ..., "max_new_tokens": 5, ...}}}
Only our own adapters note it; of other models' runs it is not known.
"""

from collections.abc import Mapping
from typing import Any

from emorealm_tasks.sequences import common_prefix

Ways = dict[str, Any]
"""What a request's answer depends on beside question, clip and weights, by name; plain JSON types."""
_AROUND = 20
_LONGEST = 60  # characters of a value that is shown whole
_noted: Ways = {}


def note(ways: Mapping[str, Any]) -> None:
    """Keep how this process's model asks; the last call counts."""
    forget()
    _noted.update(ways)


def note_of(model: Any) -> None:
    """As `note`, where a model has `ways`: its answers may come from a cache, and then it is never called."""
    if hasattr(model, "ways"):
        note(model.ways())


def forget() -> None:
    """Nothing is known of the next model."""
    _noted.clear()


def by_task(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Ways]:
    """Task -> how it was asked, from what the adapter noted and lmms-eval's configuration of each task.

    {} where the adapter noted nothing.
    """
    from emorealm_tasks import settings

    if not _noted:
        return {}
    current = settings.load()
    run_ways = _noted | {"decoder": current.decoder, "av_mode": current.av_mode}
    return {
        task: run_ways | {"answer": config.get("output_type")} | dict(config.get("generation_kwargs") or {})
        for task, config in configs.items()
    }


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, str]:
    """Name -> "8 | 16" for all that two runs' ways of asking both name and that differs.

    What only one of them names is left aside: the models' families differ, or the versions that wrote it.
    """
    names = [name for name in first if name in second and first[name] != second[name]]
    return {name: " | ".join(_shortened(first[name], second[name])) for name in names}


def _shortened(first: Any, second: Any) -> tuple[str, str]:
    """Both values on a line; of long texts what stands around the first character that differs."""
    first_text, second_text = (" ".join(str(value).split()) for value in (first, second))
    if max(len(first_text), len(second_text)) <= _LONGEST:
        return first_text, second_text
    prefix = common_prefix((first_text, second_text))
    start = max(0, prefix - _AROUND)
    excerpts = [text[start : prefix + _AROUND] for text in (first_text, second_text)]
    return f"...{excerpts[0]}...", f"...{excerpts[1]}..."
