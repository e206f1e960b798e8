"""Which part of a clip a model gets that does not take every combination of picture and sound."""

from collections.abc import Collection

from model_adapters.base.media_refs import ClipFiles

_BOTH, _TEXT = "video+audio", "text"


def what_to_give(clip: ClipFiles, modalities: Collection[str]) -> ClipFiles:
    """The part of `clip` that a model of these modalities takes: all of it, else the one part it has a sense for.

    A model that sees gets a sounding clip's picture alone, one that hears its sound alone. Raises ValueError where
    nothing of the clip fits, or where either part would and not both.
    """
    present = [kind for kind, path in zip(("video", "audio"), clip, strict=True) if path]
    combination = "+".join(present) or _TEXT
    if combination in modalities:
        return clip
    fitting = [kind for kind in present if kind in modalities]
    if combination == _BOTH and len(fitting) == 1:
        return ClipFiles(clip.video, None) if fitting == ["video"] else ClipFiles(None, clip.audio)
    takes = " or ".join(modalities)
    if len(fitting) == 2:
        raise ValueError(f"the worker takes {takes}, one at a time, and cannot choose; narrow it with options=")
    raise ValueError(f"the worker takes {takes}; this question brings {combination}")
