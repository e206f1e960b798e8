"""Preference pairs in TRL's, ms-swift's and LLaMA-Factory's layouts, read as preference records.

- TRL, conversational: `prompt`, `chosen` and `rejected`, lists of messages (or `chosen` and `rejected` with the prompt
  in each), or texts with media columns; `image`, `images`, `videos`, `audios`;
- ms-swift: `messages` and `rejected_response` or `rejected_messages`; `images`, `videos`, `audios`, and the same of the
  rejected side (`rejected_images`, ...) where these are no other files;
- LLaMA-Factory: `conversations`, `chosen` and `rejected`, each a turn; `images`, `videos`, `audios`.

A pair has one rejected response. Which kind it is, the end of its id says, as our export writes it
("7_emotion_relevant"); without such an end it is the video-relevant one. Pairs that follow each other and differ in the
rejected response alone are one record. Columns `modality` and `emotion` are read where there are such; without the
first, a prompt is about the media that it comes with.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from avem_train.data import turns
from avem_train.data.records import Preference, Problem
from avem_train.objectives import REJECTED
from emorealm_tasks.untrusted import brief

_COLUMNS = tuple(f"{kind}s" for kind in turns.KINDS)
_MARKS = ("image", *_COLUMNS)
"""The columns that tell a pair of texts from a record of the released layout."""
_NO_RESPONSES = {f"rejected_{kind}": "" for kind in REJECTED}


def is_pair(item: Mapping[str, Any]) -> bool:
    """Whether an item is a pair of one of these layouts; the released layout has texts and other columns."""
    if _is_of_ms_swift(item):
        return True
    listed = isinstance(item.get("rejected"), list | Mapping)
    return "rejected" in item and (listed or any(name in item for name in _MARKS))


def _is_of_ms_swift(item: Mapping[str, Any]) -> bool:
    return "rejected_response" in item or "rejected_messages" in item


def ours(item: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The fields of our layout that a pair has; its paths absolute. Raises ValueError."""
    files = turns.files(item, root)
    of_rejected = turns.files({name: item.get(f"rejected_{name}") for name in _COLUMNS}, root)
    if any(path not in ("", files[kind]) for kind, path in of_rejected.items()):
        raise ValueError(
            "a pair whose media differ cannot be read; give rejected media in rejected_video, rejected_audio"
        )
    asked, chosen, rejected = _texts(item)
    video, audio = files["video"], files["audio"]
    about = "audiovisual" if video and audio else "audio" if audio else "video"
    identity, kind = _identity(str(item.get("id") or ""))
    return {
        "id": identity,
        "video": video,
        "audio": "" if audio == video else audio,
        "prompt": asked,
        "modality": item.get("modality") or about,
        "emotion": item.get("emotion") or "",
        "chosen": chosen,
        f"rejected_{kind}": rejected,
    }


def _identity(name: str) -> tuple[str, str]:
    """A record's id and the kind of the rejected response, by a pair's id."""
    for kind in REJECTED:
        if name.endswith(f"_{kind}"):
            return name.removesuffix(f"_{kind}"), kind
    return name, REJECTED[0]


def _texts(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """What is asked, the chosen and the rejected response. Raises ValueError."""
    if _is_of_ms_swift(item):
        if item.get("rejected_messages"):
            return _both_exchanges(item.get("messages"), item["rejected_messages"])
        response = item.get("rejected_response")
        if not isinstance(response, str):
            raise ValueError(f"rejected_response: expected text, found {brief(repr(response))}")
        return *_exchange(item.get("messages")), response.strip()
    prompt, chosen, rejected = item.get("prompt") or item.get("conversations"), item.get("chosen"), item["rejected"]
    if isinstance(chosen, str) and isinstance(rejected, str):
        if not isinstance(prompt, str):
            raise ValueError("chosen and rejected are texts without a prompt; give the question in prompt, as text")
        return prompt, chosen.strip(), rejected.strip()
    listed: list[Any] = [prompt or [], *([one] if isinstance(one, Mapping) else one for one in (chosen, rejected))]
    if not all(isinstance(one, list) for one in listed):
        raise ValueError("prompt, chosen and rejected must be lists of messages all three, or texts all three")
    before, better, worse = listed
    return _both_exchanges([*before, *better], [*before, *worse])


def _both_exchanges(chosen: object, rejected: object) -> tuple[str, str, str]:
    """The question of both lists of messages, and the two answers. Raises ValueError."""
    (asked, better), (asked_too, worse) = _exchange(chosen), _exchange(rejected)
    if asked != asked_too:
        raise ValueError(
            f"a pair has one question; chosen answers {brief(repr(asked))}, and rejected {brief(repr(asked_too))}"
        )
    return asked, better, worse


def _exchange(listed: object) -> tuple[str, str]:
    """One question and its answer; texts of the system are left out. Raises ValueError."""
    spoken = [(role, text) for role, text in turns.turns(listed) if role != "system"]
    if [role for role, _ in spoken] != ["user", "assistant"]:
        raise ValueError("a preference is about one question and its answer; found other turns")
    return spoken[0][1], spoken[1][1].strip()


def joined(found: Iterator[tuple[Preference | Problem, bool]]) -> Iterator[Preference | Problem]:
    """The same records, of which those that are pairs (True) are joined where they belong together."""
    pending: Preference | None = None
    for one, is_part in found:
        record: Any = one
        if is_part and pending is not None and (both := _both(pending, record)) is not None:
            pending = both
            continue
        if pending is not None:
            yield pending
        pending = record if is_part else None
        if not is_part:
            yield one
    if pending is not None:
        yield pending


def _both(first: Preference, second: Preference) -> Preference | None:
    """One record of two that differ in their rejected responses alone; None where they do not."""
    without: dict[str, Any] = dict(_NO_RESPONSES)
    rejected = {name: (getattr(first, name), getattr(second, name)) for name in without}
    if not first.id or replace(first, **without) != replace(second, **without) or any(map(all, rejected.values())):
        return None
    merged: dict[str, Any] = {name: one or other for name, (one, other) in rejected.items()}
    return replace(first, **merged)
