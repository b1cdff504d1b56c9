"""YAML files read against a pydantic model; what is refused is refused in one line a value.

Each field's `description` is what the user is told when a value is refused, so it says what is allowed.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bsn.errors import InputError


class Section(BaseModel):
    """A part of the parameters; text is never taken for a number, and no key is silently ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=Section)


def validated(model: type[Model], content: dict[str, Any]) -> Model:
    """`content` as the model. Raises InputError: a line a bad value, with its key, the value and what is allowed."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError("\n".join(_line(model, problem) for problem in error.errors())) from None


def require_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise InputError, one line with what is allowed, unless `value` is one of `choices`."""
    allowed = list(choices)
    if value not in allowed:
        raise InputError(f"{key} = {value!r} is refused; allowed: {', '.join(allowed)}")


def read_yaml(file: Path) -> dict[str, Any]:
    """The keys of a YAML file, read as DVC reads it: by YAML 1.2, in which 1e-05 is a number and yes is text.

    A whole number is an int, however it is written: `dvc exp run -S seed=1e3` writes 1000.0.
    Raises InputError when the file is missing, no YAML or holds no keys.
    """
    try:
        content = _whole_as_int(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"{file} is not in this folder; run from the project's root") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    except MarkedYAMLError as error:
        problem = " ".join(error.problem.split())
        raise InputError(f"{file}, line {error.problem_mark.line + 1} is not YAML: {problem}") from None
    # ValueError: no UTF-8, no date. RecursionError: an anchor within itself.
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{file} holds no keys")
    return content


def _whole_as_int(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole_as_int(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole_as_int(inner) for inner in value]
    # Above 2**53 a float does not hold every whole number.
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= 2**53
    return int(value) if is_whole else value


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
