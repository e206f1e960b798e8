"""The stages, in the order in which they follow from each other."""

from avem_train.curation.stages.base import Stage
from avem_train.curation.stages.captions import CAPTIONS
from avem_train.curation.stages.emotions import EMOTIONS
from avem_train.curation.stages.filter import FILTER
from avem_train.curation.stages.questions import QUESTIONS

STAGES: dict[str, Stage] = {stage.name: stage for stage in (CAPTIONS, EMOTIONS, QUESTIONS, FILTER)}
"""Name -> stage."""
