"""What the answers of a server cost: tokens, and dollars where the price is given."""

from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from lmms_eval.models.model_utils.usage_metrics import log_usage

from emorealm_tasks.errors import stop


class Answer(NamedTuple):
    """A model's text, and the tokens it took (0 where the server does not count)."""

    text: str
    """The answer."""
    tokens_in: int = 0
    """Those of the sound included."""
    tokens_out: int = 0
    """Those of its thinking included."""
    tokens_thought: int = 0
    """Of the tokens out, those of thinking."""
    tokens_sound: int = 0
    """Of the tokens in, those of the sound."""


class Prices(NamedTuple):
    """US dollars for a million tokens."""

    tokens_in: float
    """Of text and pictures."""
    tokens_out: float
    """Of the answer."""
    tokens_sound: float
    """Of sound."""


def prices(text: str | None, owner: str) -> Prices | None:
    """`IN;OUT` or `IN;OUT;SOUND` as prices; sound costs as much as other input where it is not named."""
    if text is None:
        return None
    try:
        dollars = [float(part) for part in str(text).split(";")]
        return Prices(*dollars, *dollars[:1]) if len(dollars) == 2 else Prices(*dollars)
    except (ValueError, TypeError):
        stop(f"{owner}: price={text!r}; give dollars for a million tokens in, out and (where it differs) of sound: 2;8")


@dataclass
class Cost:
    """Tokens of all answers so far. Threads may share it."""

    model: str
    """Name of the model, as it is logged."""
    prices: Prices | None
    """What tokens cost; None where no price is given."""
    answers: int = 0
    """How many there are so far."""
    tokens_in: int = 0
    """Tokens of all prompts, media included."""
    tokens_out: int = 0
    """Tokens of all answers, thoughts included."""
    tokens_thought: int = 0
    """Of `tokens_out`, those of thoughts."""
    tokens_sound: int = 0
    """Of `tokens_in`, those of sound."""

    def __post_init__(self) -> None:
        self._lock = Lock()

    def add(self, answer: Answer, task: str) -> None:
        """Count an answer, for lmms-eval's own table of usage too."""
        with self._lock:
            self.answers += 1
            for name in ("tokens_in", "tokens_out", "tokens_thought", "tokens_sound"):
                setattr(self, name, getattr(self, name) + getattr(answer, name))
        answer_tokens = answer.tokens_out - answer.tokens_thought
        log_usage(self.model, task, answer.tokens_in, answer_tokens, answer.tokens_thought)

    @property
    def dollars(self) -> float | None:
        """US dollars; None where no price is given."""
        if self.prices is None:
            return None
        without_sound = (
            self.tokens_in - self.tokens_sound
        ) * self.prices.tokens_in + self.tokens_out * self.prices.tokens_out
        return (without_sound + self.tokens_sound * self.prices.tokens_sound) / 1e6

    def __str__(self) -> str:
        parts = [
            f"{self.model}: {self.answers} answers",
            f"{self.tokens_in:,} tokens in (sound: {self.tokens_sound:,})",
            f"{self.tokens_out:,} out (thinking: {self.tokens_thought:,})",
        ]
        return ", ".join([*parts, f"${self.dollars:.4f}"] if self.prices else parts)
