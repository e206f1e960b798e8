"""The stages, in the order in which they follow from each other."""

from avem_train.curation.stages.base import Stage
from avem_train.curation.stages.captions import CAPTIONS

STAGES: dict[str, Stage] = {stage.name: stage for stage in (CAPTIONS,)}
"""Name -> stage."""
