import inspect

import pytest

from parabola.values import errors
from parabola.values.encoding import Int64
from parabola.values.errors import ConvexError, InternalServerError, ParabolaError, SystemFault, UserError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ParabolaError)]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_class_says_what_it_means(cls):
    assert cls.__doc__
    assert cls.__name__ in errors.__doc__


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not ConvexError])
def test_every_error_is_made_of_a_message_and_a_code(cls):
    error = cls("It broke.", code="ItBroke")
    assert (error.message, error.code, str(error)) == ("It broke.", "ItBroke", "It broke.")
    assert cls("It broke.").code == cls.default_code


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("BadRequest", 400),
        ("PaginationLimit", 400),
        ("Unauthenticated", 401),
        ("Forbidden", 403),
        ("NotFound", 404),
        ("Conflict", 409),
        ("RateLimited", 429),
        ("InternalServerError", 500),
        ("Overloaded", 503),
        ("OptimisticConcurrencyControlFailure", 503),
        ("OutOfRetention", 503),
    ],
)
def test_the_status_of_each_class(name, status):
    cls = getattr(errors, name)
    assert cls.status == status
    assert cls.default_code == name
    assert issubclass(cls, UserError) != issubclass(cls, SystemFault)


def test_user_code_may_catch_user_errors_and_not_system_faults():
    assert not issubclass(SystemFault, UserError)
    for name in ("InvalidValue", "InvalidId", "ValidationError", "UnmappableHint", "SchemaDefinitionError"):
        assert issubclass(getattr(errors, name), errors.BadRequest)


def test_a_convex_error_carries_data():
    assert ConvexError("full").message == "full"
    error = ConvexError({"code": "full", "left": 0, "id": Int64(3)})
    assert error.data == {"code": "full", "left": 0, "id": Int64(3)}
    assert str(error) == '{"code":"full","id":{"$integer":"AwAAAAAAAAA="},"left":0.0}'
    assert ConvexError({"a": 1}, "Sold out").message == "Sold out"


def test_an_unclassified_failure_has_the_usual_text():
    assert str(InternalServerError()) == "Your request couldn't be completed. Try again later."
