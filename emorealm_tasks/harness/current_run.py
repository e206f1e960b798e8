"""The run that lmms-eval is doing: what it does not tell a task of its own class."""

_model_name: str | None = None
_weights: str | None = None


def note_model(name: str | None) -> None:
    """Remember the `--model` of the TaskManager that is being built."""
    global _model_name, _weights
    _model_name, _weights = name, None


def note_weights(name: str) -> None:
    """Remember which weights the run's model loaded: its arguments do not say where they are the default."""
    global _weights
    _weights = name


def weights() -> str | None:
    """The name of the weights; None where the adapter noted none."""
    return _weights


def model_name() -> str | None:
    """The `--model` of the TaskManager built last; None before there is one, or where it was given an object."""
    return _model_name
