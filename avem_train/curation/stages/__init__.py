"""The stages, in the order in which they follow from each other."""

from avem_train.curation.stages.base import Stage
from avem_train.curation.stages.captions import CAPTIONS
from avem_train.curation.stages.descriptions import DESCRIPTIONS
from avem_train.curation.stages.emotions import EMOTIONS
from avem_train.curation.stages.filter import FILTER
from avem_train.curation.stages.preferences import PREFERENCES
from avem_train.curation.stages.questions import QUESTIONS
from avem_train.curation.stages.supervise import SUPERVISE

_ALL = (CAPTIONS, EMOTIONS, QUESTIONS, FILTER, DESCRIPTIONS, PREFERENCES, SUPERVISE)
STAGES: dict[str, Stage] = {stage.name: stage for stage in _ALL}
"""Name -> stage."""
