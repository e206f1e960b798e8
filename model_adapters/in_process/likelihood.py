"""Options scored by their likelihood, for chat models that can say which ids an option is."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from lmms_eval.api.instance import Instance
from torch import Tensor
from tqdm import tqdm

from emorealm_tasks.errors import stop
from emorealm_tasks.harness import request_settings, response_cache
from model_adapters.base import finite
from model_adapters.base.chat import ChatRequest
from model_adapters.base.failures import ErrorBudget

from .base import InProcessChat, Rows

Score = tuple[float, bool]
FAILED: Score = (float("-inf"), False)


class ScoringChat(InProcessChat):
    """A chat model that also answers `loglikelihood`, which our likelihood tasks ask of whichever class is loaded."""

    @abstractmethod
    def option_ids(self, option: str) -> list[int]:
        """Ids of an option's text as an answer, not empty, without a closing token."""

    def loglikelihood(self, requests: list[Instance]) -> list[Score]:
        """(summed log-probability in nats, whether greedy decoding gives it) of each option; -inf on failure."""
        if self.contrast:
            task = requests[0].task_name
            stop(f"{self.name}: task {task} asks for likelihoods; vcd_alpha changes answers in words only")
        request_settings.note(self.ways())
        chats = [self.option_request(request) for request in requests]
        options = [self.option_ids(request.args[1]) for request in requests]
        scores = [FAILED] * len(requests)
        budget = ErrorBudget(self.name, self.max_errors, len(requests), self._reported, "")
        work = partial(self._scored, chats, options)
        with tqdm(total=len(requests), disable=self.rank != 0, desc=self.name) as progress:
            for numbers, prepared in self._prepared(chats):
                for number, result in zip(numbers, self._answer(chats, numbers, prepared, work), strict=True):
                    if isinstance(result, Exception):
                        budget.spend(self.failure_text(result))
                        continue
                    scores[number] = result
                    response_cache.keep(requests[number], result)
                progress.update(len(numbers))
        return scores

    def _scored(self, chats: Sequence[ChatRequest], options: Sequence[Sequence[int]], rows: Rows) -> list[Score]:
        """The score of each row's option."""
        inputs = self.batch([_followed_by(row, options[number]) for number, row in rows.items()])
        settings = self.forward_settings(chats[next(iter(rows))].clip)
        return self._likelihoods(inputs, settings, [options[number] for number in rows])

    @torch.inference_mode()
    def _likelihoods(
        self, inputs: Mapping[str, Tensor], settings: Mapping[str, Any], options: Sequence[Sequence[int]]
    ) -> list[Score]:
        """The score of each row, which ends in its option. Raises NotFinite."""
        keep = max(map(len, options)) + 1
        positions = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)  # as `generate` counts them
        logits = self.model(
            **inputs, **settings, position_ids=positions, use_cache=False, logits_to_keep=keep
        ).logits.float()
        scores = []
        for row, option in zip(logits, options, strict=True):
            predicting = row[-len(option) - 1 : -1]
            if bool(finite.broken(predicting).any()):
                raise finite.NotFinite(finite.NO_NUMBERS)
            ids = torch.tensor(list(option), device=predicting.device)
            total = predicting.log_softmax(-1).gather(-1, ids[:, None]).sum()
            scores.append((float(total), bool((predicting.argmax(-1) == ids).all())))
        return scores


def _followed_by(row: Mapping[str, Tensor], option: Sequence[int]) -> dict[str, Tensor]:
    """A question's inputs with an option's ids at their end."""
    ids = torch.tensor([list(option)])
    ends = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return {name: torch.cat([value, ends[name]], 1) if name in ends else value for name, value in row.items()}
