import pytest

from emulator.failures import ServiceError
from emulator.routes import operation


@pytest.mark.parametrize(
    ("method", "path", "name", "resource", "key"),
    [
        ("GET", "/servicestats", "get_service_statistics", "", ""),
        ("GET", "/indexes", "list_indexes", "", ""),
        ("POST", "/Indexes", "create_indexes", "", ""),
        ("PUT", "/indexes('a-b')", "put_indexes", "a-b", ""),
        ("DELETE", "/synonymmaps/x", "delete_synonymmaps", "x", ""),
        ("GET", "/indexes('x')/docs('a%2Fb')", "look_up", "x", "a/b"),
        ("GET", "/indexes('x')/docs('it%27%27s')", "look_up", "x", "it's"),
        ("GET", "/indexes/x/docs/k", "look_up", "x", "k"),
        ("GET", "/indexes/x/docs('suggest')", "look_up", "x", "suggest"),
        ("GET", "/indexes/x/docs/suggest", "suggest", "x", ""),
        ("GET", "/indexes/x/docs/$count", "count_documents", "x", ""),
        ("GET", "/indexes/x/docs", "search", "x", ""),
        ("POST", "/indexes('x')/docs/search.post.search", "search", "x", ""),
        ("POST", "/indexes('x')/docs/search.index", "index_documents", "x", ""),
        ("GET", "/indexers('x')/search.status", "get_indexer_status", "x", ""),
    ],
)
def test_both_forms_of_a_url_are_read(method: str, path: str, name: str, resource: str, key: str) -> None:
    found = operation(method, path)
    assert (found.name, found.resource, found.key) == (name, resource, key)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("GET", "/indexes/x/docs/k/more", 404),
        ("POST", "/indexes/x/docs/k", 404),
        ("PATCH", "/indexes/x", 405),
        ("PUT", "/indexes", 405),
        ("POST", "/servicestats", 404),
    ],
)
def test_what_names_nothing_is_refused(method: str, path: str, status: int) -> None:
    with pytest.raises(ServiceError) as refused:
        operation(method, path)
    assert refused.value.status == status
