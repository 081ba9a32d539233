"""Says which Python is needed; everything else is in pyproject.toml.

Older versions of pip look at the dependencies first, and end with a list of their versions. The syntax is that of any
Python, since any may run it.
"""

import sys

from setuptools import setup  # type: ignore[import-untyped]  # no stubs, and one call

if sys.version_info < (3, 13):  # noqa: UP036 - any Python runs this
    sys.exit("indexvault needs Python 3.13 or newer, and this is Python %d.%d." % sys.version_info[:2])  # noqa: UP031 - the same

setup()
