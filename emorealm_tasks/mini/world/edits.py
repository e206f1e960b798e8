"""A clip with one cue more or one cue less, and otherwise the same."""

from dataclasses import replace
from typing import Any

from emorealm_tasks.mini.world.cues import BY_NAME, scene_cues
from emorealm_tasks.mini.world.sampling import Clip


def has(clip: Clip, cue: str) -> bool:
    """Whether a cue is in the clip."""
    modality = BY_NAME[cue].modality
    return cue in (*clip.shown(modality), *clip.scene(modality))


def without(clip: Clip, cue: str) -> Clip:
    """The clip without a cue, and without the person's reaction to it. Clothes give way to other clothes."""
    fields: dict[str, Any] = {
        name: tuple(other for other in getattr(clip, name) if other != cue) for name in ("seen", "heard", "sounds")
    }
    for name in ("left", "right", "clothes", "looks_at", "reacts_to"):
        fields[name] = "" if getattr(clip, name) == cue else getattr(clip, name)
    if BY_NAME[cue].kind == "clothes":  # everybody wears something
        wardrobe = [one.name for one in scene_cues("video", "clothes")]
        fields["clothes"] = wardrobe[(wardrobe.index(cue) + 1) % len(wardrobe)]
    return replace(clip, **fields)


def added(clip: Clip, cue: str) -> Clip:
    """The clip with a cue that it lacks; what stood in its place is gone.

    The person reacts to an object, clothes or a background sound, since only then it says something about the emotion.
    """
    about = BY_NAME[cue]
    fields: dict[str, Any]
    if about.emotion:
        name = "seen" if about.modality == "video" else "heard"
        fields = {name: (*(other for other in getattr(clip, name) if BY_NAME[other].slot != about.slot), cue)}
    elif about.modality == "audio":
        fields = {"sounds": (*clip.sounds[:1], cue), "reacts_to": cue}  # there is time for two
    else:
        side = "left" if not clip.left or clip.right else "right"
        fields = {"clothes" if about.kind == "clothes" else side: cue, "looks_at": cue}
    return replace(clip, **fields)
