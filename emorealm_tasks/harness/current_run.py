"""The run that lmms-eval is doing: what it does not tell a task of its own class."""

_model_name: str | None = None


def note_model(name: str | None) -> None:
    """Remember the `--model` of the TaskManager that is being built."""
    global _model_name
    _model_name = name


def model_name() -> str | None:
    """The `--model` of the TaskManager built last; None before there is one, or where it was given an object."""
    return _model_name
