"""Multiple choice by likelihood for whatever model is named, also where it is a chat model.

lmms-eval's chat tasks only generate. A task whose YAML names a class is built as that class for both kinds of model,
so one whose chat class answers `loglikelihood` requests needs no second id and no --force_simple.
"""

from typing import Any

from lmms_eval.api.task import ConfigurableTask

from emorealm_tasks.harness import current_run


class LikelihoodTask(ConfigurableTask):
    """lmms-eval's ordinary task, with the model's own `lmms_eval_specific_kwargs` as if it were built by name."""

    def __init__(self, config: dict[str, Any]) -> None:
        task_config = {key: value for key, value in config.items() if key != "class"}
        super().__init__(config=task_config, model_name=current_run.model_name())
