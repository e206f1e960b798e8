"""Stands in for heavy libraries inside a worker process under test, and writes down every call.

A `Thing` is anything: each attribute of it is a Thing, it can be called, entered, indexed and walked through. Stub
repositories, which name the official functions with their official arguments, are made of plain code; only what they
hand out (tensors, tokens) and the libraries beside them (torch, librosa) are Things.
"""

import json
import os
import sys

LENGTH = 24  # of any Thing: frames of a reader, say


def plain(value):
    """A value as JSON takes it; a Thing is its name."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return getattr(value, "stub_name", None) or type(value).__name__


def note(call, *arguments, **named):
    """Write down one call."""
    with open(os.environ["STUB_CALLS"], "a") as file:
        file.write(json.dumps({"call": call, "args": plain(arguments), "named": plain(named)}) + "\n")


class Thing:
    """Whatever the caller thinks it is."""

    shape = (1, 2, 3, 4)

    def __init__(self, name):
        self.stub_name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Thing(f"{self.stub_name}.{name}")

    def __call__(self, *arguments, **named):
        note(self.stub_name, *arguments, **named)
        return Thing(f"{self.stub_name}()")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def __getitem__(self, key):
        return Thing(f"{self.stub_name}[]")

    def __iter__(self):
        return iter([Thing(f"{self.stub_name}[]")])

    def __len__(self):
        return LENGTH

    def __float__(self):
        return 2.0


def stand_in(name):
    """Put a Thing in the place of the module that is being imported."""
    sys.modules[name] = Thing(name)
