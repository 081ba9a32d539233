"""A host for function_app.py on this machine, without Core Tools: `python -m tests.host`.

The app runs under `azure-functions-runtime`, the code that the cloud runs function apps with. `durabletask`'s in-memory
backend is the durable engine, over its real gRPC; the storage is whatever the settings name. What the engine keeps is
in memory: a host that is started again knows no run, and the app's own records are what it goes on from.
"""

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

from indexvault.workflow.local_backend import PrivateBackend
from tests.hosting.clock import keep_firing
from tests.hosting.dispatch import Dispatcher
from tests.hosting.front import Front
from tests.hosting.worker import Worker

PROJECT = Path(__file__).resolve().parent.parent


async def serve(*, port: int, function_key: str, master_key: str, system_key: str, clock: bool) -> None:
    """Run until interrupted. Prints one line of JSON with the address once requests are taken."""
    host = json.loads((PROJECT / "host.json").read_text())
    durable = host["extensions"]["durableTask"]
    worker = Worker(PROJECT)
    await worker.start()
    backend = PrivateBackend()
    address = await asyncio.to_thread(backend.start)
    front = Front(
        worker,
        function_key=function_key,
        master_key=master_key,
        prefix=host["extensions"].get("http", {}).get("routePrefix", "api"),
        client=client_binding(durable["hubName"], address, system_key),
    )
    dispatcher = Dispatcher(
        worker,
        address,
        activities_at_once=durable["maxConcurrentActivityFunctions"],
        orchestrations_at_once=durable["maxConcurrentOrchestratorFunctions"],
    )
    runner = web.AppRunner(front.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    tasks = [asyncio.create_task(dispatcher.run())]
    if clock:
        timers = [each for each in worker.functions.values() if each.trigger["type"] == "timerTrigger"]
        tasks += [asyncio.create_task(keep_firing(front, timer, os.environ)) for timer in timers]
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{runner.addresses[0][1]}"}) + "\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    for task in tasks:
        task.cancel()
    await runner.cleanup()
    await asyncio.to_thread(backend.stop)


def client_binding(hub: str, address: str, system_key: str) -> str:
    """Return the durable client binding as the host's extension does, management URLs with their key included."""
    base = "http://127.0.0.1/runtime/webhooks/durabletask"
    query = f"taskHub={hub}&connection=Storage&code={system_key}"
    url = f"{base}/instances/INSTANCEID?{query}"
    names = ("id", "statusQueryGetUri", "sendEventPostUri", "terminatePostUri", "purgeHistoryDeleteUri")
    return json.dumps(
        {
            "taskHubName": hub,
            "creationUrls": {"createNewInstancePostUri": f"{base}/orchestrators/{{functionName}}?{query}"},
            "managementUrls": dict.fromkeys(names, url),
            "baseUrl": base,
            "requiredQueryStringParameters": query,
            "rpcBaseUrl": address,
            "httpBaseUrl": base,
            "maxGrpcMessageSizeInBytes": None,
        }
    )


def main() -> None:
    """Run the host for the app that this file belongs to."""
    parser = argparse.ArgumentParser(prog="python -m tests.host", description=__doc__)
    parser.add_argument("--port", type=int, default=7071, help="0 for any that is free")
    parser.add_argument("--no-clock", action="store_true", help="fire timers only on POST /admin/functions/{name}")
    options = parser.parse_args()
    sample: dict[str, Any] = json.loads((PROJECT / "local.settings.sample.json").read_text())
    for name, value in sample["Values"].items():
        os.environ.setdefault(name, value)
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("HOST_LOG_LEVEL", "INFO"),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # The runtime tells all functions and bindings again for each function that it indexes, and then each invocation.
    logging.getLogger("azure.functions").setLevel(logging.WARNING)
    asyncio.run(
        serve(
            port=options.port,
            function_key=os.environ.get("HOST_FUNCTION_KEY") or secrets.token_urlsafe(24),
            master_key=os.environ.get("HOST_MASTER_KEY") or secrets.token_urlsafe(24),
            system_key=os.environ.get("HOST_SYSTEM_KEY") or secrets.token_urlsafe(24),
            clock=not options.no_clock,
        )
    )


if __name__ == "__main__":
    main()
