"""What pydantic found wrong, in our words."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, PrivateAttr

from nself_sdk import CustomService
from nself_sdk.errors import DeclarationError, Problem, UnhealthyServiceError
from nself_sdk.model import Model, did_you_mean


class Inner(Model):
    size: int


class Outer(Model):
    name: str
    inner: Inner | None = None


def problems(**fields: object) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        Outer(**fields)  # type: ignore[arg-type] # wrong fields are the point
    return [str(problem) for problem in caught.value.problems]


def test_all_problems_come_at_once() -> None:
    found = problems(nmae="x", inner={"size": "big"})
    assert [line.split(":")[0] for line in found] == ["Outer.name", "Outer.inner.size", "Outer.nmae"]


def test_an_unknown_key_of_an_inner_model_is_compared_with_that_models_keys() -> None:
    assert problems(name="x", inner={"size": 1, "sise": 2}) == [
        "Outer.inner.sise: unknown key; did you mean 'size'?",
    ]


def test_a_field_without_its_name_is_told_by_the_models_own_words() -> None:
    with pytest.raises(DeclarationError) as caught:
        Outer("x")  # type: ignore[call-arg] # that is the mistake
    assert str(caught.value) == "Outer: got 'x' without a name; name its field: Outer(field=...), of inner, name"


def test_a_word_that_a_constructor_of_its_own_does_not_know_is_told_as_everywhere() -> None:
    with pytest.raises(DeclarationError) as caught:
        CustomService("api", "fastapi-py", 8001, need=["redis"])  # type: ignore[call-arg] # that is the mistake
    assert str(caught.value) == "CustomService.need: unknown key; did you mean 'needs'?"
    with pytest.raises(DeclarationError) as caught:
        CustomService("api")  # type: ignore[call-arg] # same
    assert str(caught.value) == "CustomService.template: Field required\nCustomService.port: Field required"


def test_another_error_of_types_stays_what_it_is() -> None:
    class Own(Model):
        def __init__(self, name: str) -> None:
            raise TypeError(f"{name} is odd")

    with pytest.raises(TypeError, match="x is odd"):
        Own("x")


def test_a_value_never_changes() -> None:
    inner = Inner(size=1)
    with pytest.raises(DeclarationError) as caught:
        inner.size = 2  # type: ignore[misc] # that is the mistake
    assert str(caught.value) == "Inner.size: never changes; make another: .replace(size=...)"


class Formed(Model):
    size: str = Field(default="5GB", pattern="^[0-9]+GB$")
    channel: str = Field(default="", pattern="^(#.+)?$", examples=["#alerts"])
    names: tuple[Annotated[str, Field(pattern="^[a-z]+$")], ...] = ("uploads",)
    free: str = Field(default="", pattern="^[a-z]*$")


def test_what_has_a_wrong_form_is_shown_a_right_one() -> None:
    with pytest.raises(DeclarationError) as caught:
        Formed(size="lots", channel="alerts", names=("A",), free="A")
    assert [problem.fix for problem in caught.value.problems] == [
        "write it like '5GB'",
        "write it like '#alerts'",
        "write it like 'uploads'",
        "",
    ]


def test_what_a_model_keeps_for_itself_may_change() -> None:
    class Counting(Model):
        _count: int = PrivateAttr(default=0)

        def again(self) -> int:
            self._count += 1
            return self._count

    assert [Counting().again(), (counting := Counting()).again(), counting.again()] == [1, 1, 2]


def test_a_long_value_is_shown_only_in_part() -> None:
    assert all(len(line) < 200 for line in problems(name="x", inner={"size": "y" * 5000}))


def test_a_word_near_none_gets_the_list() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"


def test_a_problem_is_one_sentence() -> None:
    assert str(Problem("a.b", "is wrong", "correct it")) == "a.b: is wrong; correct it"
    assert str(Problem("", "is wrong")) == "is wrong"


def test_the_same_problem_is_told_once() -> None:
    assert len(DeclarationError([Problem("a", "b"), Problem("a", "b")]).problems) == 1


def test_an_unhealthy_service_shows_its_last_lines() -> None:
    error = UnhealthyServiceError("api", "exited with code 1", "one\ntwo", "look there")
    assert str(error) == "api: exited with code 1\n  | one\n  | two\n  look there"


def test_every_kind_of_error_has_its_exit_code() -> None:
    from nself_sdk import errors

    assert [errors.NselfError.exit_code, errors.DeclarationError.exit_code, errors.SecretError.exit_code] == [1, 2, 3]
    assert {kind.exit_code for kind in (errors.DriverError, *errors.DriverError.__subclasses__())} == {4}
