"""Reply forms whose values a recipe or a row decides."""

from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, create_model

FormT = TypeVar("FormT", bound=BaseModel)


@cache
def narrowed(form: type[FormT], field: str, values: tuple[str, ...]) -> type[FormT]:
    """The form, of the same name, with that field restricted to some texts."""
    allowed: Any = Literal[values]
    restricted: dict[str, Any] = {field: (allowed, ...)}
    return create_model(form.__name__, __base__=form, __doc__=form.__doc__, **restricted)
