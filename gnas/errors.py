"""The exception tree of gnas.

GnasError
├── UserError                what the user gave cannot be used; one message: place, value, accepted, remedy
│   ├── SpecError            a spec file (exit code 2)
│   ├── SpaceError           a search-space definition, or an architecture outside its space (exit code 3)
│   ├── DataError            a data file, a column, a split (exit code 4)
│   ├── StudyError           a run folder or a study (exit code 5)
│   ├── MissingExtraError    an optional dependency is absent (exit code 6)
│   └── ExportError          a model cannot be written or does not match (exit code 7)
└── CandidateError           one candidate failed; recorded as an evaluation, never a crash
    ├── InvalidShapeError    types or shapes do not fit an op
    ├── DivergedError        a loss or an output became NaN or infinite
    ├── OutOfMemoryError     the memory limit of a trial was passed
    └── OutOfTimeError       the time limit of a trial was passed
"""

from __future__ import annotations

from typing import ClassVar


class GnasError(Exception):
    """Root of every error gnas raises on purpose."""


class UserError(GnasError):
    """Input that cannot be used, told in one message.

    Args:
        problem: What is wrong, in one clause.
        place: File, line or key path where it stands.
        value: The value received.
        accepted: What would have been accepted.
        remedy: What to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        problem: str,
        *,
        place: str | None = None,
        value: object = None,
        accepted: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.place = place
        self.value = value
        self.accepted = accepted
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [f"{self.place}: {self.problem}" if self.place else self.problem]
        if self.value is not None:
            parts.append(f"got {self.value!r}")
        if self.accepted:
            parts.append(f"accepted: {self.accepted}")
        if self.remedy:
            parts.append(self.remedy)
        return "; ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # NOTE: keyword-only arguments do not survive the default pickling of exceptions between processes.
        return _rebuild, (type(self), self.problem, self.place, self.value, self.accepted, self.remedy)


def _rebuild(
    kind: type[UserError], problem: str, place: str | None, value: object, accepted: str | None, remedy: str | None
) -> UserError:
    return kind(problem, place=place, value=value, accepted=accepted, remedy=remedy)


class SpecError(UserError):
    """A spec file that cannot be used."""

    exit_code = 2


class SpaceError(UserError):
    """A search-space definition that is impossible, or an architecture outside its space."""

    exit_code = 3


class DataError(UserError):
    """Data that cannot be used."""

    exit_code = 4


class StudyError(UserError):
    """A run folder or a study that cannot be used."""

    exit_code = 5


class MissingExtraError(UserError):
    """An optional dependency is absent."""

    exit_code = 6

    @classmethod
    def of(cls, package: str, extra: str) -> MissingExtraError:
        """The error for an absent `package` that comes with the extra `extra`."""
        return cls(f"package {package!r} is not installed", remedy=f"run: pip install 'gnas[{extra}]'")


class ExportError(UserError):
    """A model that cannot be written, or whose export differs from the original."""

    exit_code = 7


class CandidateError(GnasError):
    """One candidate failed. Caught by the evaluator and recorded with its reason."""


class InvalidShapeError(CandidateError):
    """Types or shapes that an op does not accept.

    Args:
        name: Node or op.
        received: What came in.
        expected: What the op accepts.
    """

    def __init__(self, name: str, received: object, expected: object) -> None:
        self.name, self.received, self.expected = name, received, expected
        super().__init__(f"{name}: received {received}, expected {expected}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, self.received, self.expected)


class DivergedError(CandidateError):
    """A loss or an output became NaN or infinite."""


class OutOfMemoryError(CandidateError):
    """The memory limit of a trial was passed."""


class OutOfTimeError(CandidateError):
    """The time limit of a trial was passed."""
