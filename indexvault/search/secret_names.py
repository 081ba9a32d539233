"""Members of definitions by what they hold, as their names tell: only a secret, an address, or text.

Names are compared without case, dashes and underscores. A path is the names and positions that lead to a member.
"""

import re
from collections.abc import Sequence

type Path = Sequence[str]

_SECRETS = frozenset(
    {
        "authkey", "authorization", "authtoken", "cookie", "credential", "credentials", "key", "ocpapimsubscriptionkey",
        "passphrase", "passwd", "primarykey", "proxyauthorization", "pwd", "sas", "secondarykey", "secret", "setcookie",
        "sig", "token", "xfunctionskey",
    }
)  # fmt: skip
_SECRET_ENDINGS = (
    "accesskey", "accesssignature", "accesstoken", "accountkey", "adminkey", "apikey", "authenticationkey",
    "bearertoken", "clientkey", "connectionstring", "functionkey", "functionskey", "hostkey", "masterkey", "password",
    "privatekey", "querykey", "refreshtoken", "sastoken", "secret", "secretkey", "sharedkey", "subscriptionkey",
)  # fmt: skip
_OPEN_HEADERS = frozenset({"accept", "acceptcharset", "acceptlanguage", "contentlanguage", "contenttype", "useragent"})
"""Headers that hold no credentials. The value of any other header counts as a secret."""
_OPEN_PARAMETERS = frozenset(
    {
        "allowskillsettoreadfiledata", "assumeorderbyhighwatermarkcolumn", "base64encodekeys",
        "converthighwatermarktorowversion", "datatoextract", "delimitedtextdelimiter", "delimitedtextheaders",
        "delimiter", "disableorderbyhighwatermarkcolumn", "documentroot", "excludedfilenameextensions",
        "executionenvironment", "failonunprocessabledocument", "failonunsupportedcontenttype",
        "firstlinecontainsheaders", "imageaction", "indexedfilenameextensions",
        "indexstoragemetadataonlyforoversizeddocuments", "markdownheaderdepth", "markdownparsingsubmode",
        "normalizedimagemaxheight", "normalizedimagemaxwidth", "parsingmode", "pdftextrotationalgorithm", "position",
        "querytimeout", "usehttpserverutilityurltokendecode", "usehttpserverutilityurltokenencode",
    }
)  # fmt: skip
"""Parameters of indexers, of skills that read files and of mapping functions. Source: Create Indexer and Document
Extraction skill (REST API), 2026-09."""
_ADDRESS_ENDINGS = ("uri", "url", "endpoint", "baseaddress")
_TEXTS = frozenset({"description", "synonyms", "retrievalinstructions", "answerinstructions"})
_TEXT_PARENTS = frozenset({"analyzers", "tokenizers", "tokenfilters", "charfilters", "normalizers"})
_PARAMETER_PARENTS = frozenset({"configuration", "extraparameters"})
NAMES_OF_NAMES, _NAMES_OF_VALUES = frozenset({"name", "key", "header"}), frozenset({"value", "values"})
"""What name and value are called in lists of headers."""


def plain(name: str) -> str:
    """Return a name as it is compared."""
    return re.sub("[^a-z0-9]", "", name.lower())


def holds_only_secret(path: Path) -> bool:
    """Return whether a member holds nothing but a secret, or is one of several that a member of such a name holds."""
    name = plain(next((each for each in reversed(path) if not each.isdigit()), ""))
    return name in _SECRETS or name.removesuffix("s").endswith(_SECRET_ENDINGS)


def is_header(path: Path) -> bool:
    """Return whether a member is, or belongs to, a header that may hold a credential; headers in one text are."""
    if path and _is_headers(path[-1]) and plain(path[-1]) not in _OPEN_PARAMETERS:
        return True
    inside = next((at for at, name in enumerate(path[:-1]) if _is_headers(name)), None)
    if inside is None or is_open_header(path[inside + 1]):
        return False
    return not (path[inside + 1].isdigit() and is_open_header(path[-1]))


def is_in_headers(path: Path) -> bool:
    """Return whether a member is headers or belongs to some, open ones included."""
    return any(map(_is_headers, path)) and plain(path[-1]) not in _OPEN_PARAMETERS


def is_parameter(path: Path) -> bool:
    """Return whether a member belongs to parameters of any name, and has none of the documented names."""
    for at, name in enumerate(path[:-1]):
        is_mapping = plain(name) == "parameters" and at > 0 and plain(path[at - 1]) == "mappingfunction"
        if plain(name) in _PARAMETER_PARENTS or is_mapping:
            return plain(path[at + 1]) not in _OPEN_PARAMETERS
    return False


def is_open_header(name: str) -> bool:
    """Return whether a header of this name holds no credential."""
    return plain(name) in _OPEN_HEADERS


def is_listed_name(path: Path) -> bool:
    """Return whether a member is the name in an entry of a list of headers, such as `headers/0/name`."""
    return _is_listed(path) and plain(path[-1]) in NAMES_OF_NAMES


def is_listed_value(path: Path) -> bool:
    """Return whether a member is the value in an entry of a list of headers, such as `headers/0/value`."""
    return _is_listed(path) and plain(path[-1]) in _NAMES_OF_VALUES


def is_for_address(path: Path) -> bool:
    """Return whether a member is meant for an address."""
    return bool(path) and plain(path[-1]).endswith(_ADDRESS_ENDINGS)


def is_text(path: Path) -> bool:
    """Return whether a member is text that people wrote, or a rule for text: it may quote addresses."""
    return bool(path) and (plain(path[-1]) in _TEXTS or any(plain(name) in _TEXT_PARENTS for name in path))


def _is_listed(path: Path) -> bool:
    return len(path) > 2 and path[-2].isdigit() and _is_headers(path[-3])  # noqa: PLR2004 - headers, position, member


def _is_headers(name: str) -> bool:
    return plain(name).endswith("headers")
