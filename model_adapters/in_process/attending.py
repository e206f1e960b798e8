"""Chat models that say how much of their attention goes to the picture and to the sound."""

from abc import abstractmethod

from torch import Tensor

from model_adapters.base import attention
from model_adapters.base.requests import ClipQuestion

from .base import InProcessChat


class AttendingChat(InProcessChat):
    """A chat model that knows which of its tokens show and which sound."""

    @abstractmethod
    def token_kinds(self, ids: Tensor) -> Tensor:
        """`attention.PICTURE`, `SOUND` or `OTHER` of each token of a prompt; ids: (length,)."""

    def attention_shares(self, question: ClipQuestion) -> Tensor:
        """Attention to picture and sound where the answer begins: (layers, heads, 2). Raises MediaError."""
        clip = self.given(question.clip)
        inputs = self.batch([self.inputs(question, clip)[0]])
        kinds = self.token_kinds(inputs["input_ids"][0])
        return attention.shares(self.model, kinds, **inputs, **self.forward_settings(clip))
