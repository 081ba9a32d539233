import pytest

from emulator.access import Guard, Permission, permissions_of
from emulator.failures import ServiceError

GUARD = Guard("admin", "query", {"both": "reader+data-reader", "loader": "data-contributor"})


def refused(headers: dict[str, str]) -> int:
    with pytest.raises(ServiceError) as error:
        GUARD.caller(headers)
    return error.value.status


def test_roles_add_up() -> None:
    assert permissions_of("reader+data-reader") == {Permission.READ_DEFINITIONS, Permission.READ_DOCUMENTS}
    with pytest.raises(ValueError, match="unknown role 'king'"):
        permissions_of("reader+king")


def test_an_admin_key_may_everything_and_a_query_key_may_read() -> None:
    assert GUARD.caller({"api-key": "admin"}).permissions == set(Permission)
    assert GUARD.caller({"api-key": "query"}).permissions == {Permission.READ_DOCUMENTS}


def test_a_token_is_told_from_a_key() -> None:
    assert GUARD.caller({"api-key": "both"}).by_key
    assert not GUARD.caller({"Authorization": "Bearer both"}).by_key
    assert Permission.READ_ELEVATED in GUARD.caller({"Authorization": "Bearer loader"}).permissions


def test_the_unknown_are_refused() -> None:
    assert refused({"api-key": "wrong"}) == 403
    assert refused({"api-key": "wrong", "Authorization": "Bearer both"}) == 403
    assert refused({}) == 401
    assert refused({"Authorization": "Bearer wrong"}) == 401
    assert refused({"Authorization": "Basic both"}) == 401


def test_a_permission_is_required() -> None:
    with pytest.raises(ServiceError) as error:
        GUARD.caller({"api-key": "query"}).require(Permission.WRITE_DOCUMENTS)
    assert error.value.status == 403
