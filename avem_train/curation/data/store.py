"""Clips and manifests that lie at an address (s3://, gs://, hf://, http://, memory://, ...), fetched by fsspec.

Who may read there is told by the environment, as fsspec's file systems take it (AWS_..., HF_TOKEN, FSSPEC_S3_..., a
profile), never by a recipe or a row, which are written to disk.
"""

import errno
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from emorealm_tasks import files, settings
from emorealm_tasks.chat_client import RequestFailed, ServerRefuses
from emorealm_tasks.errors import stop
from emorealm_tasks.media import MediaError
from emorealm_tasks.untrusted import Unreadable, brief, inside, without_secrets

LARGEST = 1 << 30
"""Bytes of a file that is fetched; a clip of an emotion takes a thousandth of that."""
PAUSES = (0.0, 1.0, 4.0)
"""Seconds before each attempt."""
_OURS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What an OSError says of this machine's disk, not of the address."""


def is_address(text: str) -> bool:
    """Whether a text is an address, and no path."""
    return "://" in text


def plain(text: str) -> str:
    """A path or an address; a file's address as its path."""
    return unquote(urlsplit(text).path) if text.startswith("file://") else text


@dataclass(frozen=True)
class Store:
    """A place that media lie below."""

    root: str
    """Its address."""

    def __post_init__(self) -> None:
        """Stops at an address that holds a password, or whose file system is unknown or has no package here."""
        import fsspec  # type: ignore[import-untyped]

        protocol, _, place = self.root.partition("://")
        if without_secrets(self.root) != self.root or "::" in self.root or "?" in self.root:
            told = without_secrets(self.root).partition("?")[0]
            stop(f"{told}: an address is a protocol and a place; who may read there is told by the environment")
        try:
            fsspec.get_filesystem_class(protocol)
        except ImportError as error:
            package = getattr(error.__cause__, "name", None) or protocol
            stop(f"{self.root}: {protocol}:// needs a package: pip install {package}")
        except ValueError:
            stop(f"{self.root}: {protocol}:// is no file system of fsspec's (s3, gs, hf, http, https, file, ...)")
        if not place.strip("/"):
            stop(f"{self.root}: names no place below {protocol}://")

    def relative(self, name: str) -> str:
        """An address as a path below the root; a path as it is. Raises Unreadable for one that lies elsewhere."""
        if not is_address(name):
            return name
        above = self.root.rstrip("/") + "/"
        if not name.startswith(above) or "?" in name:
            told = brief(without_secrets(name).partition("?")[0])
            raise Unreadable(f"{told} is no plain address below {self.root}")
        return name.removeprefix(above)

    def fetch(self, name: str, field: str, folder: Path) -> Path:
        """The file of that name below the root, in `folder / field`; it is fetched once.

        Raises Unreadable for a name that leads elsewhere, MediaError for a file that is missing or larger than LARGEST,
        RequestFailed where the store does not answer, ServerRefuses where it never will, OSError where this machine's
        disk is full.
        """
        target = inside(folder / field, name, field)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(self.root, target.relative_to(folder.absolute() / field).as_posix(), target)
        return target


def fetched(address: str) -> Path:
    """A copy of a manifest's file below the cache. Stops where it cannot be had."""
    root, _, name = address.rpartition("/")
    where = settings.load().cache / "manifests" / hashlib.sha256(address.encode()).hexdigest()[:12]
    store = Store(root)
    try:
        where.mkdir(parents=True, exist_ok=True)
        with files.draft(where / name) as draft:
            _download(store.root, name, draft)
    except (MediaError, RequestFailed, ServerRefuses) as error:
        stop(f"{error}; manifest.path names a CSV file")
    except OSError as error:
        stop(f"{where}: {error.strerror or error}")
    return where / name


def _download(root: str, name: str, target: Path) -> None:
    address = f"{root.rstrip('/')}/{name}"
    fault = ""
    for pause in PAUSES:
        time.sleep(pause)
        try:
            return _copy(root, name, target)
        except FileNotFoundError:
            if not _there(root):
                raise ServerRefuses(f"{root}: is not there; name the address with manifest.root=") from None
            raise MediaError(f"{address}: is not there") from None
        except PermissionError as error:
            raise ServerRefuses(f"{root}: may not be read ({_told(error)}); see the store's credentials") from None
        except _TooLarge:
            raise MediaError(f"{address}: is larger than {LARGEST >> 20} MiB") from None
        except Exception as error:  # each file system raises what its library does
            if isinstance(error, OSError) and error.errno in _OURS:
                raise
            fault = _told(error)
    raise RequestFailed(f"{address}: {fault}")


class _TooLarge(Exception):
    """More bytes than LARGEST."""


def _copy(root: str, name: str, target: Path) -> None:
    import fsspec
    from fsspec.callbacks import Callback  # type: ignore[import-untyped]

    class Bound(Callback):  # type: ignore[misc]
        """Ends a transfer that grows too large, as soon as its size is known."""

        def call(self, hook_name: str | None = None, **more: Any) -> None:
            if max(self.size or 0, self.value) > LARGEST:
                raise _TooLarge

    system, place = fsspec.url_to_fs(root)
    if root.startswith("http"):
        name = quote(name)  # nothing in it is a query or leads upwards
    system.get_file(f"{place.rstrip('/')}/{name}", str(target), callback=Bound())


def _there(root: str) -> bool:
    """Whether the root is there; taken for granted of a web server, which need not list folders."""
    import fsspec

    if root.startswith("http"):
        return True
    try:
        system, place = fsspec.url_to_fs(root)
        return bool(system.exists(place))
    except Exception:  # it may be that only single files may be read
        return True


def _told(error: Exception) -> str:
    return without_secrets(brief(error)) or type(error).__name__
