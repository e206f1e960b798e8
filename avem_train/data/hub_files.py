"""Records that lie in a data set on the Hugging Face hub: `hf://datasets/owner/name/file`, or `owner/name@revision`."""

import re
from functools import lru_cache
from pathlib import Path

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import without_secrets
from model_adapters.base.arguments import first_line

_NAME = re.compile(r"hf:/{1,2}datasets/([\w.-]+/[\w.-]+)(?:@([\w.-]+))?/(.+)")
"""A `Path` has one slash of the two."""


def name(place: str | Path) -> str:
    """What a setting names on the hub, as it is typed; "" for a place on this machine."""
    found = _NAME.fullmatch(str(place))
    return f"hf://{str(place).partition('/')[2].lstrip('/')}" if found else ""


def local(place: str | Path, root: str) -> Path:
    """The file on this machine that a setting names; one on the hub is fetched, or taken from the hub's cache.

    root: the folder that the records' paths start from; where it is "" the data set brings its clips along, and all of
    it is fetched. Stops where the hub does not give it.
    """
    found = _NAME.fullmatch(str(place))
    return _fetched(*found.groups(), whole=not root) if found else Path(place).expanduser()


@lru_cache
def _fetched(repository: str, revision: str | None, file: str, whole: bool) -> Path:
    from huggingface_hub import hf_hub_download, snapshot_download

    try:
        if whole:
            path = Path(snapshot_download(repository, repo_type="dataset", revision=revision)) / file
        else:
            path = Path(hf_hub_download(repository, file, repo_type="dataset", revision=revision))
    except Exception as error:  # whichever HTTP library the client uses
        why = without_secrets(first_line(error))
        stop(f"hf://datasets/{repository}/{file}: the hub does not give it ({why}); correct the name, or set HF_TOKEN")
    if not path.is_file():
        stop(f"hf://datasets/{repository}/{file}: there is no such file in the data set; it has others")
    return path
