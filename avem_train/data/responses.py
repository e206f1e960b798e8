"""Preference records -> the responses whose log-probabilities the losses are made of.

A response answers a prompt about some media, or about none. Policy and reference score the same ones: each response
under the record's media, and the chosen one under the rejected media. The text prior scores the responses with the
media taken out of the prompt (Section 4.2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from avem_train.data.negatives import Medium, Negatives, RejectedMedia, draw
from avem_train.data.records import Preference
from avem_train.objectives import Objective, record_weights
from emorealm_tasks import media

UNCHANGED = Medium()


class Source(NamedTuple):
    """What goes through an encoder."""

    kind: Literal["video", "audio"]
    """Which encoder."""
    path: str
    """The file."""
    noise: Medium = UNCHANGED
    """What is added to the encoder's input; by default nothing."""


@dataclass(frozen=True)
class Response:
    """A response to a prompt about some media."""

    sources: tuple[Source, ...]
    """At most a video, then at most a sound."""
    prompt: str
    """The text of the prompt, without media tags."""
    text: str
    """The response's own."""


@dataclass(frozen=True)
class Responses:
    """The responses of one record by what they are for (field names of `objectives.PreferenceLogps`)."""

    media: dict[str, Response]
    """What policy and reference score."""
    text_only: dict[str, Response]
    """What the text prior scores; empty without TPD."""
    weights: dict[str, float]
    """Of the rejected responses that this record has."""

    @property
    def all(self) -> list[Response]:
        """Every response, those about media first."""
        return [*self.media.values(), *self.text_only.values()]


def sources(record: Preference) -> dict[str, Source]:
    """The record's own media by modality; a video without a sound track and without a file of its own is silent."""
    media_sources = {}
    if record.video is not None:
        media_sources["video"] = Source("video", str(record.video))
    sound = record.audio
    if sound is None and record.video is not None and media.has_sound(record.video, unreadable=True):
        sound = record.video
    if sound is not None:
        media_sources["audio"] = Source("audio", str(sound))
    return media_sources


def rejected_sources(chosen_sources: Mapping[str, Source], rejected: RejectedMedia) -> dict[str, Source]:
    """The sources of the chosen response, with the changes that `rejected` describes."""
    changed = {}
    for kind, source in chosen_sources.items():
        medium: Medium = getattr(rejected, kind)
        if medium.kind == "file":
            changed[kind] = Source(source.kind, str(medium.path))
        else:
            changed[kind] = source if medium.kind == "own" else source._replace(noise=medium)
    return changed


def of(record: Preference, objective: Objective, seed: int, rejected: RejectedMedia | None) -> Responses:
    """The responses that an objective needs of a record; `rejected` None: no preference over media."""
    weights = record_weights(objective, record.id, seed)
    responses = {name: record.response(name) for name in ("chosen", *weights)}
    chosen_sources = sources(record)
    about = {name: Response(tuple(chosen_sources.values()), record.prompt, text) for name, text in responses.items()}
    if rejected is not None:
        changed_sources = tuple(rejected_sources(chosen_sources, rejected).values())
        about["rejected_media"] = Response(changed_sources, record.prompt, record.chosen)
    blind = {name: replace(about[name], sources=()) for name in responses} if objective.gamma_tpd else {}
    return Responses(about, blind, weights)


def plan(
    records: Sequence[Preference], objective: Objective, negatives: Negatives, seed: int, epoch: int
) -> list[Responses]:
    """The responses of every record, in order; rejected media as drawn for `epoch`."""
    rejected_media: list[Any] = [None] * len(records)
    if objective.lambda_av:
        rejected_media = draw(records, negatives, seed, epoch)
    return [of(record, objective, seed, rejected) for record, rejected in zip(records, rejected_media, strict=True)]
