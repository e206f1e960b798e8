"""Preference records -> the responses whose log-probabilities the losses are made of.

A response answers a prompt about some media, or about none. Policy and reference score the same ones: each response
under the record's media, and the chosen one under the rejected media. The text prior scores the responses with the
media taken out of the prompt (Section 4.2).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, overload

from avem_train.data.negatives import Medium, Negatives, Pool, RejectedMedia, drawn
from avem_train.data.records import Preference
from avem_train.objectives import Objective, record_weights
from emorealm_tasks import media
from model_adapters.base.media_refs import ClipFiles

UNCHANGED = Medium()


class Source(NamedTuple):
    """What goes through an encoder."""

    kind: Literal["video", "audio"]
    """Which encoder."""
    path: str
    """The file."""
    noise: Medium = UNCHANGED
    """What is added to the encoder's input; by default nothing."""

    @property
    def files(self) -> ClipFiles:
        """A clip of this medium alone; of nothing where there is no path."""
        path = self.path or None
        return ClipFiles(path, None) if self.kind == "video" else ClipFiles(None, path)


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
    """What policy and reference score; without "rejected_media" where the model does not take what could change."""
    text_only: dict[str, Response]
    """What is scored without media; empty where the objective asks for none."""
    weights: dict[str, float]
    """Of the rejected responses that this record has."""
    changed: dict[str, dict[str, Response]] = field(default_factory=dict)
    """"relevant", "irrelevant": the responses where what the prompt is about, or is not about, is changed; the policy
    alone scores them. Left out where the objective or the record has no such thing."""
    right_there: str = ""
    """Which rejected response is right under the rejected media ("swapped" in `media`); "" = none."""

    @property
    def has_rejected_media(self) -> bool:
        """Whether anything is scored under them."""
        return "rejected_media" in self.media or "swapped" in self.media or "relevant" in self.changed

    @property
    def with_media(self) -> list[Response]:
        """Every response about media, whoever scores it."""
        return [*self.media.values(), *(one for of_change in self.changed.values() for one in of_change.values())]

    @property
    def all(self) -> list[Response]:
        """Every response that the frozen model scores, those about media first."""
        return [*self.media.values(), *self.text_only.values()]


def sources(record: Preference) -> dict[str, Source]:
    """The record's own media by modality, those that the model takes.

    A video without a sound track and without a file of its own is silent.
    """
    media_sources = {}
    if record.video is not None:
        media_sources["video"] = Source("video", str(record.video))
    sound = record.audio
    if sound is None and record.video is not None and media.has_sound(record.video, unreadable=True):
        sound = record.video
    if sound is not None:
        media_sources["audio"] = Source("audio", str(sound))
    return {kind: source for kind, source in media_sources.items() if kind in record.taken}


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


def of(
    record: Preference,
    objective: Objective,
    seed: int,
    rejected: RejectedMedia | None,
    irrelevant: RejectedMedia | None = None,
) -> Responses:
    """The responses that an objective needs of a record.

    rejected: what the prompt is about, changed; irrelevant: what it is not about, changed. None: not drawn.
    """
    weights = record_weights(objective, record.id, seed)
    responses = {name: record.response(name) for name in ("chosen", *weights)}
    chosen_sources = sources(record)

    def under(media_sources: Mapping[str, Source], names: Iterable[str]) -> dict[str, Response]:
        return {name: Response(tuple(media_sources.values()), record.prompt, responses[name]) for name in names}

    about, right_there = under(chosen_sources, responses), ""
    changed: dict[str, dict[str, Response]] = {}
    if rejected is not None and (rejected_of := rejected_sources(chosen_sources, rejected)) != chosen_sources:
        if objective.lambda_av:
            about["rejected_media"] = under(rejected_of, ["chosen"])["chosen"]
        if objective.lambda_swapped and record.right_under_rejected in weights:
            right_there = record.right_under_rejected
            about["swapped"] = under(rejected_of, [right_there])[right_there]
        if objective.beta_relevant:
            changed["relevant"] = under(rejected_of, responses)
    if irrelevant is not None and (others := rejected_sources(chosen_sources, irrelevant)) != chosen_sources:
        changed["irrelevant"] = under(others, responses)
    blind = under({}, responses) if objective.needs_text else {}
    return Responses(about, blind, weights, changed, right_there)


class Plan(Sequence[Responses]):
    """The responses of every record, in order, each made when it is asked for; rejected media as drawn for `epoch`.

    pool: the clips that rejected ones are drawn from; None = those of the records.
    """

    def __init__(
        self,
        records: Sequence[Preference],
        objective: Objective,
        negatives: Negatives,
        seed: int,
        epoch: int,
        pool: Pool | None = None,
    ) -> None:
        self.records, self._objective, self._seed, self._epoch = records, objective, seed, epoch
        self._rejected = negatives if objective.needs_rejected_media else None
        self._irrelevant = replace(negatives, change="other") if objective.beta_irrelevant else None
        draws = self._rejected or self._irrelevant
        self.pool = pool if pool is not None or not draws else Pool(records)

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, number: int) -> Responses: ...
    @overload
    def __getitem__(self, number: slice) -> list[Responses]: ...
    def __getitem__(self, number: int | slice) -> Responses | list[Responses]:
        found = self.records[number]
        return self._of(found) if isinstance(found, Preference) else list(map(self._of, found))

    def __iter__(self) -> Iterator[Responses]:
        return map(self._of, self.records)

    def _of(self, record: Preference) -> Responses:
        rejected, irrelevant = self._drawn(record, self._rejected), self._drawn(record, self._irrelevant)
        return of(record, self._objective, self._seed, rejected, irrelevant)

    def _drawn(self, record: Preference, negatives: Negatives | None) -> RejectedMedia | None:
        if negatives is None or self.pool is None:
            return None
        return drawn(record, self.pool, negatives, self._seed, self._epoch)
