"""What records are checked for that depends on the model: its own marks, which no text may hold, and its media."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from avem_train.data.records import TAG

if TYPE_CHECKING:
    from transformers import ProcessorMixin

    from avem_train.data.records import Preference


class ModelFacts(NamedTuple):
    """What is known of a model before its weights are loaded."""

    special: tuple[str, ...] = ()
    """All of its own marks: of turns, media and a text's ends."""
    closing: str = ""
    """The one that training puts after every response; "" where it is not known."""
    media: tuple[str, ...] = ("video", "audio")
    """Which of them it takes."""


ANY_MODEL = ModelFacts()


def of(processor: "ProcessorMixin", media: tuple[str, ...]) -> ModelFacts:
    """What the tokenizer takes for special, what the processor puts features at, and the model's `media`."""
    any_processor: Any = processor
    tokenizer = any_processor.tokenizer
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    marks = [getattr(any_processor, f"{kind}_token", None) for kind in ("image", "video", "audio", "feature")]
    all_tokens = dict.fromkeys(
        [*tokenizer.all_special_tokens, *added, *(mark for mark in marks if isinstance(mark, str))]
    )
    return ModelFacts(tuple(sorted(all_tokens, key=len, reverse=True)), tokenizer.eos_token or "", media)


def wrong_texts(record: "Preference", responses: Sequence[str], facts: ModelFacts) -> Iterator[tuple[str, str]]:
    """What is wrong with the prompt, the chosen response and the rejected `responses`: each fault's kind and reason."""
    texts = {"prompt": record.prompt} | {name: record.response(name) for name in ("chosen", *responses)}
    for name, text in texts.items():
        field = record.field(f"rejected_{name}" if name in responses else name)
        if not text.strip():
            yield "empty text", f"{field} is empty"
        token = next((token for token in facts.special if token in text), "")
        if name != "prompt" and facts.closing and text.rstrip().endswith(facts.closing):
            yield "closing token", f"{field} ends in {facts.closing!r}, which training adds itself; take it off"
        elif tag := TAG.search(text):
            yield "media tag", f"{field} holds {tag[0]!r}; media go into the fields video and audio"
        elif token:
            yield "mark of the model", f"{field} holds {token!r}, which the model reads as its own mark; take it out"
        if name in responses and record.chosen.strip() == text.strip() != "":
            yield "chosen equals rejected", f"{field} and chosen are both {record.chosen!r}"
