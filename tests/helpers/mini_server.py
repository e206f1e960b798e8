"""The scripted model of the embedded world behind HTTP: values are read back from the prompt's filled text."""

import hashlib
import re

from avem_train.curation import prompts
from avem_train.curation.asking.requests import Picture, Sound
from avem_train.curation.clients import chat as chat_client
from avem_train.curation.scripted import captions, model
from avem_train.curation.scripted.mistakes import Chance, Mistakes
from curation import form
from faulty_server import FaultyServer, chat

PROMPTS = {
    "EmotionGuess": "emotion_from_caption",
    "TextGuess": "answer_from_text",
    "BasicQuestion": "questions_basic",
    "AbsentCues": "questions_hallucinated",
    "CueMatches": "cue_matches",
    "EmotionDescription": "descriptions",
    "AnswerVariations": "preferences_answer",
    "VerdictVariations": "preferences_verdict",
    "DescriptionVariations": "preferences_description",
    "IrrelevantVariation": "preferences_irrelevant",
}
"""Form of reply -> the prompt that asks for it."""


def values(prompt: str, text: str) -> dict[str, str]:
    """What was filled into a prompt."""
    pattern, seen = "", set()
    for number, part in enumerate(re.split(r"\$(\w+)", prompts.load(prompt).template)):
        if number % 2 == 0:
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            seen.add(part)
            pattern += f"(?P<{part}>.*?)"
    return re.fullmatch(pattern, text, re.DOTALL).groupdict()


def answering(clips, frames: int, mistakes: Mistakes | None = None, wait=lambda body: None) -> FaultyServer:
    """A server that knows those clips; `wait(body)` is called before each answer."""
    mistakes = mistakes or Mistakes()
    media = {}
    for clip in clips:
        for medium in (Picture(clip, frames), Sound(clip)):
            media[_digest(chat_client._parts(medium)[0])] = clip

    def script(body, number):
        wait(body)
        content = body["messages"][0]["content"]
        name = form(body)
        chance = Chance(0, hashlib.sha256(str(content).encode()).hexdigest())
        if name in model.CAPTIONS:
            perceived = captions.truth(media[_digest(content[0])], model.CAPTIONS[name])
            reply = model.describe(name, perceived, chance, mistakes)
        else:
            reply = model.write(name, values(PROMPTS[name], content), chance, mistakes, 0.5)
        return 200, {}, chat(model.spoilt(reply, chance, mistakes, attempt=len(body["messages"]) > 1))

    return FaultyServer(script)


def _digest(part) -> str:
    return hashlib.sha256(str(part).encode()).hexdigest()
