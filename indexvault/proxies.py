"""Whether requests go through a proxy.

The HTTP library looks for a proxy, and for a password in `.netrc`, before each request, in a thread: a fifth of what a
small request costs. So it is asked to only where a proxy is set.
"""

import urllib.request


def has_proxy() -> bool:
    """Return whether this machine's environment or settings name a proxy for HTTP or HTTPS."""
    return not {"http", "https"}.isdisjoint(urllib.request.getproxies())
