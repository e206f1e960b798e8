"""A folder to the Hugging Face hub; what can go wrong there ends in one line."""

import re
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from emorealm_tasks.errors import stop
from emorealm_tasks.untrusted import brief, without_secrets

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{,95}/[A-Za-z0-9][\w.-]{,95}", re.ASCII)
_UNFIT = re.compile(r"--|\.\.|[-.]$|[-.]/|\.git$")
"""What the hub refuses in a name that is otherwise made of the right characters."""
_UNAUTHORISED, _FORBIDDEN = 401, 403


class Words(NamedTuple):
    """What a command calls its options, for what it says of a mistake."""

    option: str = "--to"
    """Names the repository."""
    public: str = "--public"
    """Lets everybody see it."""
    instead: str = "try again, or write the folder with --dry-run DIR"
    """What to do where the hub does not take it."""


PUSH = Words()
"""Those of `emorealm push`."""


def check(repository: str, option: str = PUSH.option, uploads: bool = True) -> None:
    """Stop unless a repository can be named so and, where something is uploaded, there is a token: before any work.

    option: which names the repository.
    """
    from huggingface_hub import get_token

    if not _REPOSITORY.fullmatch(repository) or _UNFIT.search(repository):
        name = f"{option} {brief(repository)}"
        stop(f"{name}: is no name of a repository; write ORG/NAME, in letters, digits, '-', '_', '.'")
    if uploads and not get_token():
        stop("no token for the hub; set HF_TOKEN to one that may write, or type: hf auth login")


def upload(folder: Path, repository: str, kind: Literal["dataset", "model"], public: bool, words: Words = PUSH) -> str:
    """Upload the files of a folder as one repository, which is made if there is none; returns its address.

    A new repository is private unless ``public``. Files of the same names are replaced there, others stay. Stops where
    the hub refuses, where it cannot be reached, and where a repository is public that was not to be.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        created = api.create_repo(repository, repo_type=kind, private=not public, exist_ok=True)
        if not public and not api.repo_info(repository, repo_type=kind).private:
            meant = f"add {words.public} where that is meant"
            stop(f"{created}: is public; {meant}, or name another repository with {words.option}")
        api.upload_folder(
            repo_id=repository, folder_path=folder, repo_type=kind, commit_message="emorealm push", ignore_patterns=".*"
        )
    except Exception as error:  # whichever HTTP library the client uses
        _refused(repository, api.endpoint, error, words)
    return str(created)


def _refused(repository: str, endpoint: str, error: Any, words: Words) -> NoReturn:
    status = getattr(getattr(error, "response", None), "status_code", None)
    host = without_secrets(endpoint)
    if status == _UNAUTHORISED:
        stop(f"{host} does not know the token; set HF_TOKEN to one that is valid, or type: hf auth login")
    if status == _FORBIDDEN:
        access = f"the token may not write to {repository}"
        stop(f"{host}: {access}; use one with write access there, or another {words.option}")
    why = brief(without_secrets(str(error).strip() or type(error).__name__))
    if status is None:
        stop(f"{host} cannot be reached or broke off ({why}); {words.instead}")
    stop(f"{host} refused {repository} with status {status} ({why}); see {words.option}; {words.instead}")
