"""Read YAML files and validate them against a pydantic model, with one line per invalid value.

A field's `description` is the end of the error message for an invalid value: what is allowed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bsn.errors import InputError


class Section(BaseModel):
    """Base of all sections of parameters: strings are not converted to numbers, and unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=Section)


def validated(model: type[Model], content: dict[str, Any]) -> Model:
    """Validate values against a model.

    Args:
        model: section of parameters.
        content: values by key, as read from YAML.

    Raises:
        InputError: one line per invalid value, with its key, the value and what is allowed.
    """
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
    """Read a YAML file as DVC does: by YAML 1.2, in which 1e-05 is a number and yes is a string.

    Whole numbers become ints, however they are written: `dvc exp run -S seed=1e3` writes 1000.0.

    Raises:
        InputError: the file is missing, is not YAML, or holds no keys.
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
    # ValueError: not UTF-8, or an invalid date. RecursionError: an anchor that contains itself.
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


def _line(root: type[Section], problem: ErrorDetails) -> str:
    if problem["loc"][-1] == "[key]":
        *outer, name, _ = problem["loc"]
        return f"{'.'.join(map(str, outer))}: the name {name!r} is refused; allowed: {_allowed_names(root, outer)}"
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{key} is missing; allowed: {_allowed(root, problem['loc'])}"
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{key} is not a parameter; allowed beside it: {', '.join(_siblings(root, problem['loc']))}"
    return f"{key} = {problem['input']!r} is refused; allowed: {_allowed(root, problem['loc'])}"


def _allowed(root: type[Section], loc: tuple[str | int, ...]) -> str:
    """Description of the value at `loc`, or of the innermost section around it that has one."""
    annotation, found = root, "a section of parameters"
    for part in loc:
        annotation, description = _inside(annotation, part)
        found = description or found
    return found


def _allowed_names(root: type[Section], loc: Sequence[str | int]) -> str:
    """Description of the keys of the dict at `loc`."""
    key, _ = get_args(_type_at(root, loc))
    _, description = _plain(key, None)
    return description or "other names"


def _siblings(root: type[Section], loc: tuple[str | int, ...]) -> list[str]:
    return list(_fields(_type_at(root, loc[:-1])))


def _type_at(root: type[Section], loc: Sequence[str | int]) -> Any:
    annotation: Any = root
    for part in loc:
        annotation, _ = _inside(annotation, part)
    return annotation


def _inside(annotation: Any, part: str | int) -> tuple[Any, str | None]:
    """Type and description of the key or index `part` of `annotation`: a section, dataclass, dict or list."""
    if get_origin(annotation) in (dict, list, Sequence):
        return _plain(get_args(annotation)[-1], None)
    field = _fields(annotation).get(str(part))
    return _plain(*field) if field else (None, None)


def _fields(annotation: Any) -> dict[str, tuple[Any, str | None]]:
    """Type and description of each field of a section or dataclass; {} for anything else."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {name: (field.annotation, field.description) for name, field in annotation.model_fields.items()}
    if is_dataclass(annotation):
        return {field.name: (field.type, None) for field in fields(annotation)}
    return {}


def _plain(annotation: Any, description: str | None) -> tuple[Any, str | None]:
    """Strip `Annotated[...]` and `... | None` off a type, keeping the description that they carry."""
    while get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        description = next((m.description for m in metadata if getattr(m, "description", None)), description)
    members = [a for a in get_args(annotation) if a is not type(None)]
    if get_origin(annotation) not in (dict, list, Sequence, Literal) and len(members) == 1:
        annotation = members[0]
    return annotation, description
