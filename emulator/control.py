"""`/$emulator`: faults and counters of one service. Azure AI Search has nothing like it.

GET    /$emulator            the service, its fault rules with what they did, its requests by operation
POST   /$emulator/faults     {"seed": 7, "rules": [...]}: replaces the rules; see emulator.faults.Rule
DELETE /$emulator/faults     no faults any more
DELETE /$emulator/requests   counters back to zero
"""

import ipaddress

import msgspec
from aiohttp import web

from emulator.faults import Plan
from emulator.requests import Requests
from emulator.service import Service

_ROOT = "/$emulator"


def is_control(path: str) -> bool:
    """Return whether a path is the control endpoint's."""
    return path == _ROOT or path.startswith(f"{_ROOT}/")


async def answer(request: web.Request, service: Service, requests: Requests) -> web.Response:
    """Answer a request to the control endpoint, which serves this machine only."""
    if request.remote is None or not ipaddress.ip_address(request.remote).is_loopback:
        return web.Response(status=403)
    match request.method, request.path:
        case "GET", "/$emulator":
            return _overview(service, requests)
        case "POST", "/$emulator/faults":
            try:
                service.faults.replace(msgspec.json.decode(await request.read(), type=Plan))
            except msgspec.DecodeError as problem:
                return web.json_response({"error": {"code": "", "message": str(problem)}}, status=400)
        case "DELETE", "/$emulator/faults":
            service.faults.replace(Plan())
        case "DELETE", "/$emulator/requests":
            requests.clear()
        case _:
            return web.Response(status=404)
    return web.Response(status=204)


def _overview(service: Service, requests: Requests) -> web.Response:
    setup = service.setup
    overview = {
        "service": setup.name,
        "tier": setup.tier,
        "region": setup.region,
        "faults": service.faults.fired(),
        "requests": requests.tallies(),
    }
    return web.Response(body=msgspec.json.encode(overview), content_type="application/json")
