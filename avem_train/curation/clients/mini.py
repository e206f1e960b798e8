"""The scripted model of the embedded world as a client: offline, the same on every machine, with mistakes at set rates.

Its captions are made of the clip's truth, or of what the embedded avere-nano names in picture and sound.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from avem_train import config
from avem_train.curation.asking.protocol import Completion
from avem_train.curation.asking.requests import Request, digest
from avem_train.curation.clients.adapter import AdapterModel
from avem_train.curation.clients.settings import ClientSettings
from avem_train.curation.prompts import Prompt
from avem_train.curation.scripted import captions, model
from avem_train.curation.scripted.captions import Perceived
from avem_train.curation.scripted.mistakes import Chance, Mistakes
from emorealm_tasks.chat_client import RequestFailed, ServerRefuses
from emorealm_tasks.errors import stop
from emorealm_tasks.mini.language import wording
from emorealm_tasks.untrusted import Unreadable

SOURCES = ("truth", "avere")
_BROKEN = ("broken", "broken_twice")


@dataclass(frozen=True)
class Script:
    """A client's `args`."""

    captions: str = "truth"
    """What captions are made of: `truth` (cues.json beside the clips) or `avere` (avere-nano's own words)."""
    noise: float = 0.0
    """The rate of every mistake that `mistakes` does not name, but for broken replies; from 0 to 1."""
    mistakes: dict[str, Any] = field(default_factory=dict)
    """Name of a mistake -> its rate: see `avem_train.curation.scripted.mistakes.Mistakes`."""
    skill: float = 0.0
    """How often it guesses a question by the length of its options; from 0 to 1."""

    def __post_init__(self) -> None:
        if self.captions not in SOURCES:
            raise ValueError(f"captions must be {' or '.join(SOURCES)}, got {self.captions!r}")
        if not 0 <= self.noise <= 1 or not 0 <= self.skill <= 1:
            raise ValueError(f"noise and skill must be from 0 to 1, got {self.noise} and {self.skill}")

    @property
    def rates(self) -> Mistakes:
        """The rate of each mistake. Raises RecipeError for one that is unknown or out of range."""
        usual = {one.name: self.noise for one in dataclasses.fields(Mistakes) if one.name not in _BROKEN}
        rates: Mistakes = config.from_mapping(Mistakes, usual | self.mistakes, "args.mistakes.")
        return rates


class MiniModel:
    """See the module. The client's `model` is but a name: clients of other names draw other guesses and mistakes."""

    def __init__(self, settings: ClientSettings, seed: int) -> None:
        """Stops where the args cannot be used."""
        try:
            self._script: Script = config.from_mapping(Script, settings.args, f"clients: {settings.model}: args.")
            self._mistakes = self._script.rates
        except config.RecipeError as error:
            stop(str(error))
        self._name, self._seed = settings.model, seed
        self._captioner = _captioner(settings) if self._script.captions == "avere" else None

    @property
    def identity(self) -> Mapping[str, Any]:
        """Its name, its mistakes, its seed, and who perceives for it."""
        more = {"captioner": dict(self._captioner.identity)} if self._captioner else {}
        rates = dataclasses.asdict(self._mistakes)
        return {"kind": "mini", "model": self._name, "seed": self._seed, "skill": self._script.skill, **rates, **more}

    def complete(self, request: Request[Any], repair: Sequence[str] = ()) -> Completion:
        """See `Client`."""
        media = [digest(medium.path) for medium in request.media]
        chance = Chance(self._seed, "\0".join([self._name, request.text, *media]))
        form = request.reply.__name__
        try:
            if form in model.CAPTIONS:
                reply = model.describe(form, self._perceived(request, form), chance, self._mistakes)
            else:
                reply = model.write(form, request.values, chance, self._mistakes, self._script.skill)
        except KeyError:
            raise ServerRefuses(f"{self._name}: the scripted model of the embedded world writes no {form}") from None
        except (Unreadable, OSError) as error:
            raise RequestFailed(str(error)) from None
        return Completion(model.spoilt(reply, chance, self._mistakes, attempt=bool(repair)))

    def _perceived(self, request: Request[Any], form: str) -> list[Perceived]:
        modality = model.CAPTIONS[form]
        if self._captioner is None:
            return captions.truth(request.media[0].path, modality)
        prompt = Prompt(f"mini_{modality}", 1, wording.CAPTION[modality])
        return captions.named(self._captioner.complete(dataclasses.replace(request, prompt=prompt)).text, modality)


def _captioner(settings: ClientSettings) -> AdapterModel:
    args = {"pretrained": "avere_nano", "nano_anyway": True}
    return AdapterModel(dataclasses.replace(settings, kind="adapter", model="avere", args=args, max_tokens=80))
