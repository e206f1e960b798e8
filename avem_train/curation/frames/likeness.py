"""How like two texts are: cosine of sentence embeddings, and BERTScore, both by their libraries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief


@dataclass(frozen=True)
class Models:
    """What compares texts; each is a name on the hub or a folder."""

    sbert: str = "sentence-transformers/all-mpnet-base-v2"
    """For sentence-transformers (Reimers and Gurevych, 2019)."""
    bertscore: str = "roberta-large"
    """For bert-score (Zhang et al., 2020); its default for English."""
    layer: int = 0
    """The layer of the BERTScore model whose states are compared; 0 = the library's choice, which it has for models
    that it knows by name."""


_HINT = "name a model of the hub or a folder; `hf download NAME` fetches one for a machine without a network"
MEASURES = ("sbert", "precision", "recall", "f1")
"""The columns of Table 8; each at most 1."""


class Comparer:
    """Compares captions with references. Stops where a model or its library cannot be loaded."""

    def __init__(self, models: Models, device: str | None = None) -> None:
        """device: as torch names it; None = a GPU where there is one."""
        try:
            from bert_score import BERTScorer  # type: ignore[import-untyped]
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            stop(f"{error.name} is missing; install it with: pip install 'emorealm[curate]'")
        try:
            self._sentences = SentenceTransformer(models.sbert, device=device)
        except Exception as error:  # transformers and the hub raise whatever their parts raise
            stop(f"--sbert {models.sbert}: cannot be loaded ({brief(error)}); {_HINT}")
        try:
            self._tokens = BERTScorer(model_type=models.bertscore, num_layers=models.layer or None, device=device)
        except Exception as error:
            layer = "; a folder needs --bertscore-layer too"
            stop(f"--bertscore {models.bertscore}: cannot be loaded ({brief(error)}); {_HINT}{layer}")

    def __call__(self, captions: Sequence[str], references: Sequence[str]) -> Mapping[str, list[float]]:
        """MEASURES -> a value for each pair."""
        both = self._sentences.encode([*captions, *references], normalize_embeddings=True, show_progress_bar=False)
        cosines = (both[: len(captions)] * both[len(captions) :]).sum(axis=1).tolist()
        parts = self._tokens.score(list(captions), list(references))
        return dict(zip(MEASURES, [cosines, *(part.tolist() for part in parts)], strict=True))
