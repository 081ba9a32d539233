import pytest

from indexvault.api.decode import decode_members
from indexvault.api.runs import RunPath, RunsQuery
from indexvault.errors import RequestError


@pytest.mark.parametrize("given", [{"run": "\ud800"}, {"\ud800": "x"}])
def test_parameters_that_are_no_unicode(given: dict[str, str]) -> None:
    with pytest.raises(RequestError):
        decode_members(given, RunPath, "path")
    with pytest.raises(RequestError):
        decode_members(given, RunsQuery, "query")
