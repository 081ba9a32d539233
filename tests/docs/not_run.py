"""The blocks of commands that no test runs, each with the reason. Every other block of every page is run."""

SUBSCRIPTION = "it changes a subscription of Azure, and there is none here"
SET_UP = "it installs what the tests run on; tests/demo/test_main.py and tests/layout/test_set_up.py hold it"
SERVES = "it runs until it is interrupted; tests/demo/test_serve.py and tests/emulator/ hold it"
DOCKER = "it needs Docker and an image that Microsoft publishes"
WEBHOOKS = "it sends to webhooks outside; tests/cli/commands/test_alerts.py runs each with one of its own"
JQ = "jq is not on every machine; tests/snapshots/test_format_2.py reads the same members"

NOT_RUN: dict[tuple[str, str], str] = {
    ("README.md", "make demo"): SET_UP,
    ("docs/recipes.md", "az storage container legal-hold"): SUBSCRIPTION,
    ("docs/routing.md", "az deployment group create"): SUBSCRIPTION,
    ("docs/routing.md", "az network traffic-manager endpoint"): SUBSCRIPTION,
    ("docs/routing.md", "curl -s https://func-indexvault"): SUBSCRIPTION,
    ("docs/deploy.md", "az search service update"): SUBSCRIPTION,
    ("docs/deploy.md", "azd auth login"): SUBSCRIPTION,
    ("docs/deploy.md", "export INDEXVAULT_URL=$(azd env"): SUBSCRIPTION,
    ("docs/deploy.md", "cp infra/pair.bicepparam"): SUBSCRIPTION,
    ("docs/deploy.md", "az storage container immutability-policy"): SUBSCRIPTION,
    ("docs/deploy.md", "az keyvault secret set"): SUBSCRIPTION,
    ("docs/deploy.md", "make package"): DOCKER,
    ("docs/alerts.md", "indexvault alerts"): WEBHOOKS,
    ("docs/format.md", "# one document, in whatever snapshot"): JQ,
    ("emulator/README.md", "python -m emulator"): SERVES,
}
"""By the page and what the first line of the block begins with."""
