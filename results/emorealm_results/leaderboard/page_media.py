"""What the page shows and plays of clips: drawn frames and sound, links to files, and how to get what is missing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emorealm_results.console import words
from emorealm_results.leaderboard import playable, sample_browser
from emorealm_results.leaderboard.page_options import Options

PAGE = "leaderboard.html"
_ABSENT = (
    "This clip was not found when the page was written. {remedy} Then write the page again with emorealm leaderboard."
)
_NOT_COPIED = "This clip is not in {folder}. Write the page again with --copy-clips MB, where MB is enough for all."
_BROKEN_LINK = (
    "The clip cannot be played from {link}: it lies there only where the page was written. emorealm leaderboard "
    "--copy-clips 200 copies clips into a folder that goes with the page, at most 200 MB."
)


def media(
    samples: Sequence[Mapping[str, Any]], sources: Mapping[str, sample_browser.Source], options: Options
) -> dict[str, Any]:
    """``clips``, ``played`` (both: BENCHMARK/CLIP -> what there is of it), ``missing`` (benchmark -> why a clip is
    not played, and what to do), ``moved`` (the same where a link leads nowhere), and ``copied``, a line or "".
    """
    files = {(name, clip): paths for name, source in sources.items() for clip, paths in source.files.items()}
    opened = samples[:1]  # which the browser opens on
    first = [(sample["benchmark"], clip) for sample in opened for clip in sample_browser.clips_of(sample)]
    all_clips = list(dict.fromkeys([*first, *sample_browser.choose_clips(samples, len(samples))]))
    files_of = {clip: files[clip] for clip in all_clips if clip in files}
    folder, copied = options.clips, ""
    if options.copied is not None:
        folder = folder or options.out / playable.FOLDER
        copied = str(playable.copy(files_of, all_clips, folder, options.copied))
    clips = {}
    for benchmark, clip in all_clips[: options.pictures]:
        if (benchmark, clip) in files and (drawing := sample_browser.draw(*files[benchmark, clip])):
            clips[f"{benchmark}/{clip}"] = drawing
    not_copied = _NOT_COPIED.format(folder=words.place(folder)) if folder else ""
    places = playable.within(folder, dict.fromkeys(all_clips, _unknown(Path())) | files_of) if folder else files_of
    return {
        "clips": clips,
        "played": playable.linked(places, options.out / PAGE),
        "missing": {
            name: not_copied or _ABSENT.format(remedy=_sentence(source.remedy)) for name, source in sources.items()
        },
        "moved": _BROKEN_LINK,
        "copied": copied,
    }


def _unknown(path: Path) -> playable.Files:
    """A clip whose files are not known: picture and sound in one."""
    return path, path


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith(".") else f"{text}."
