"""YAML files read against a pydantic model; what is refused is refused in one line a value.

Each field's `description` is what the user is told when a value is refused, so it says what is allowed.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from bsn.errors import InputError


class Section(BaseModel):
    """A part of the parameters; text is never taken for a number, and no key is silently ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Section)


def validated(model: type[Model], content: dict[str, Any]) -> Model:
    """`content` as the model. Raises InputError: a line a bad value, with its key, the value and what is allowed."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError("\n".join(_line(model, problem) for problem in error.errors())) from None


def read_yaml(file: Path) -> dict[str, Any]:
    """The keys of a YAML file. Raises InputError when it is missing, no YAML or holds no keys."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file} is not in this folder; run from the project's root") from None
    except yaml.YAMLError as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file} holds no keys")
    return content


def _line(root: type[Section], problem: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{key} is missing; allowed: {_allowed(root, problem['loc'])}"
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a parameter; allowed beside it: {', '.join(_siblings(root, problem['loc']))}"
    return f"{key} = {problem['input']!r} is refused; allowed: {_allowed(root, problem['loc'])}"


def _allowed(root: type[Section], loc: tuple[str | int, ...]) -> str:
    """The nearest description on the way to `loc`."""
    annotation, found = root, "a section of parameters"
    for part in loc:
        annotation, description = _inside(annotation, part)
        found = description or found
    return found


def _siblings(root: type[Section], loc: tuple[str | int, ...]) -> list[str]:
    annotation: Any = root
    for part in loc[:-1]:
        annotation, _ = _inside(annotation, part)
    return list(annotation.model_fields)


def _inside(annotation: Any, part: str | int) -> tuple[Any, str | None]:
    """Type and description of what `part` names inside of `annotation` (a section, a dict or a list)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return _plain(field.annotation, field.description) if field else (None, None)
    if get_origin(annotation) in (dict, list):
        return _plain(get_args(annotation)[-1], None)
    return None, None


def _plain(annotation: Any, description: str | None) -> tuple[Any, str | None]:
    """Strip `Annotated[...]` and `... | None` off a type, keeping the description that they carry."""
    while get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        description = next((m.description for m in metadata if getattr(m, "description", None)), description)
    members = [a for a in get_args(annotation) if a is not type(None)]
    if get_origin(annotation) not in (dict, list, Literal) and len(members) == 1:
        annotation = members[0]
    return annotation, description
