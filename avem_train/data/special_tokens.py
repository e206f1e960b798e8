"""What no text of a record may hold: media tags, and the model's own marks of turns, media and a text's ends."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from avem_train.data.records import TAG
from emorealm_tasks.errors import stop
from model_adapters.base.arguments import first_line

if TYPE_CHECKING:
    from transformers import ProcessorMixin

    from avem_train.data.records import Preference


class SpecialTokens(NamedTuple):
    """A model's own marks."""

    special: tuple[str, ...] = ()
    """All of them."""
    closing: str = ""
    """The one that training puts after every response; "" where it is not known."""


NO_SPECIAL_TOKENS = SpecialTokens()


def of(processor: "ProcessorMixin") -> SpecialTokens:
    """What the processor's tokenizer takes for special, and what the processor puts a medium's features at."""
    any_processor: Any = processor
    tokenizer = any_processor.tokenizer
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    media = [getattr(any_processor, f"{kind}_token", None) for kind in ("image", "video", "audio", "feature")]
    all_tokens = dict.fromkeys(
        [*tokenizer.all_special_tokens, *added, *(mark for mark in media if isinstance(mark, str))]
    )
    return SpecialTokens(tuple(sorted(all_tokens, key=len, reverse=True)), tokenizer.eos_token or "")


def of_folder(folder: Path, family: str) -> SpecialTokens:
    """As `of`, of the processor in a model's folder, which needs no weights. Stops where it cannot be loaded."""
    if family == "avere":
        from model_adapters.avere import loading

        return of(loading.load_processor(folder))
    processor_class: Any
    if family == "emotion_llama":
        from model_adapters.emotion_llama import EmotionLlamaProcessor as processor_class
    else:
        from transformers import Qwen2_5OmniProcessor as processor_class

    try:
        return of(processor_class.from_pretrained(folder, local_files_only=True))
    except Exception as error:  # of whatever kind the files are broken in
        stop(f"model={folder}: its processor cannot be loaded ({first_line(error)}); download it again")


def wrong_texts(record: "Preference", responses: Sequence[str], tokens: SpecialTokens) -> Iterator[tuple[str, str]]:
    """What is wrong with the prompt, the chosen response and the rejected `responses`: each fault's kind and reason."""
    texts = {"prompt": record.prompt} | {name: record.response(name) for name in ("chosen", *responses)}
    for name, text in texts.items():
        field = record.field(f"rejected_{name}" if name in responses else name)
        if not text.strip():
            yield "empty text", f"{field} is empty"
        token = next((token for token in tokens.special if token in text), "")
        if name != "prompt" and tokens.closing and text.rstrip().endswith(tokens.closing):
            yield "closing token", f"{field} ends in {tokens.closing!r}, which training adds itself; take it off"
        elif tag := TAG.search(text):
            yield "media tag", f"{field} holds {tag[0]!r}; media go into the fields video and audio"
        elif token:
            yield "mark of the model", f"{field} holds {token!r}, which the model reads as its own mark; take it out"
        if name in responses and record.chosen.strip() == text.strip() != "":
            yield "chosen equals rejected", f"{field} and chosen are both {record.chosen!r}"
