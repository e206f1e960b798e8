"""Forms of answers (a letter, words) and how much of a loss's gradient each has.

A text prior is worth 0.3 nats for a letter and 5 to 10 for a sentence, so a term that depends on it also decides which
form is learnt, and that shows in scores of benchmarks that are answered in one form.
"""

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from avem_train.objectives.logps import PreferenceLogps, present

_LETTER = re.compile(r"\(?[A-Z]\)?\.?")


def is_letter(response: str) -> bool:
    """Whether a response is the letter of an option and no more."""
    return bool(_LETTER.fullmatch(response.strip()))


def balance(lowered: Tensor, letters: Sequence[bool]) -> Tensor:
    """Factors (records,) of the response term that undo what a text prior does to the forms' shares.

    lowered: what the prior takes off each record's margin. At the reference a record's gradient counts sigma(lowered),
    without a prior 1/2. Divided by the mean of its form, times 1/2, every form has the share it has without a prior,
    and within a form the prior counts as before. All 1 where `lowered` is 0.
    """
    weight, factor = lowered.sigmoid(), torch.ones_like(lowered)
    of_letters = torch.tensor(letters, device=lowered.device)
    for form in (of_letters, ~of_letters):
        if form.any():
            factor[form] = 0.5 / weight[form].mean()
    return factor


def gradient_sizes(loss: Tensor, models: Iterable[PreferenceLogps | None]) -> Tensor:
    """|d loss / d log p| summed over the responses of each record, (batch,): how hard the loss pulls at a record.

    loss: (batch,), a function of the log-probabilities in `models`, those of the model in training. The graph stays.
    """
    values = [getattr(model, name) for model in models if model is not None for name in present(model)]
    having = [value for value in values if value.requires_grad]
    gradients = torch.autograd.grad(loss.sum(), having, retain_graph=True, allow_unused=True)
    sizes = [gradient.abs() for gradient in gradients if gradient is not None]
    return torch.stack(sizes).sum(0).detach()
