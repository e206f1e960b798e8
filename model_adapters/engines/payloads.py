"""A clip on disk -> what is sent to a server: encoded frames, the video without its sound, the sound as a wav."""

import io
from base64 import b64encode
from pathlib import Path

import numpy as np
from PIL import Image

from emorealm_tasks import media, settings

_QUALITY = 95  # of JPEG: hardly a visible loss, a tenth of a PNG's size


def jpeg(frame: np.ndarray) -> bytes:
    """One frame, uint8 (height, width, 3), as JPEG."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def silent(path: str) -> bytes:
    """The video of a file as an mp4 without sound, its pictures copied as they are encoded. Raises MediaError.

    A server may hear the sound track of a file, also where a question is about the picture alone.
    """
    return media.copied_picture(path)


def wav(path: str) -> Path:
    """The sound of a file as a 16 kHz mono wav: the file itself where it is one. Raises MediaError."""
    return media.as_wav(path, settings.load().cache)


def base64(data: bytes) -> str:
    """The bytes as text."""
    return b64encode(data).decode()


def data_uri(kind: str, data: bytes) -> str:
    """The bytes as a URI, `kind` being their MIME type."""
    return f"data:{kind};base64,{base64(data)}"
