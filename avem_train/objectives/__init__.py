"""The preference losses as pure functions of log-probabilities: the paper's, the field's, and what lies between.

`settings.Objective` says which terms a loss has, `preference` puts them together, `terms` has each by itself, `logps`
what they are computed of, `forms` which share of the gradient each form of answer has. The settings are known without
torch, which takes seconds to import.
"""

from typing import TYPE_CHECKING

from emorealm_tasks import lazy

if TYPE_CHECKING:
    from avem_train.objectives.logps import PreferenceLogps, Scored
    from avem_train.objectives.preference import (
        avem_dpo_loss,
        lowered,
        naive_dpo_loss,
        objective_loss,
        preference_loss,
        vista_dpo_loss,
    )
    from avem_train.objectives.settings import REJECTED, TABLE_18, Objective, record_weights

__all__ = [
    "REJECTED",
    "TABLE_18",
    "Objective",
    "PreferenceLogps",
    "Scored",
    "avem_dpo_loss",
    "lowered",
    "naive_dpo_loss",
    "objective_loss",
    "preference_loss",
    "record_weights",
    "vista_dpo_loss",
]

__getattr__ = lazy.names(
    __name__,
    {
        "logps": ("PreferenceLogps", "Scored"),
        "preference": (
            "avem_dpo_loss",
            "lowered",
            "naive_dpo_loss",
            "objective_loss",
            "preference_loss",
            "vista_dpo_loss",
        ),
        "settings": ("REJECTED", "TABLE_18", "Objective", "record_weights"),
    },
)
