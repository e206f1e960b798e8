"""What is true of the clips of a built split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emorealm_tasks.errors import stop
from emorealm_tasks.mini.world.cues import Cue
from emorealm_tasks.untrusted import Unreadable, parse_json, read_bytes


@dataclass(frozen=True)
class Truth:
    """What is true of one clip."""

    emotions: Mapping[str, str]
    """Modality -> the emotion that it conveys."""
    present: frozenset[str]
    """Names of the cues that are there."""
    matters: frozenset[str]
    """Names of those that tell of their modality's emotion."""

    def explains(self, cue: Cue, emotion: str) -> bool:
        """Whether a cue tells of that emotion."""
        return cue.name in self.matters and self.emotions[cue.modality] == emotion


def read(folder: Path) -> dict[str, Truth]:
    """Id of a clip -> its truth, from `cues.json`. Stops where that cannot be read."""
    try:
        return {
            Path(clip["clip"]).stem: Truth(
                {"video": clip["emotion_video"], "audio": clip["emotion_audio"]},
                frozenset(cue["name"] for cue in clip["cues"] if cue["present"]),
                frozenset(cue["name"] for cue in clip["cues"] if cue["matters"]),
            )
            for clip in parse_json(read_bytes(folder / "cues.json"))
        }
    except (Unreadable, KeyError, TypeError) as error:
        stop(f"{folder}: its cues.json cannot be read ({error}); only clips of emorealm-mini build can be graded")
