import pytest

from indexvault.settings.host_storage import stores_of_host
from indexvault.settings.load import read_settings

SETTINGS = read_settings(
    '{"services": {}, "stores": {'
    '"east": {"region": "eastus", "account_url": "https://contosoeast.blob.core.windows.net"},'
    '"west": {"region": "westus", "connection_string": {"env": "WEST"}},'
    '"local": {"region": "local", "connection_string": "UseDevelopmentStorage=true"}}}'
)
WEST = "DefaultEndpointsProtocol=https;AccountName=contosowest;AccountKey=a2V5"


@pytest.mark.parametrize(
    ("environment", "stores"),
    [
        ({}, []),
        ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, []),
        ({"AzureWebJobsStorage": "DefaultEndpointsProtocol=https;AccountName=ContosoEast;AccountKey=a2V5"}, ["east"]),
        ({"AzureWebJobsStorage": WEST}, ["west"]),
        ({"AzureWebJobsStorage__accountName": "contosoeast"}, ["east"]),
        ({"AzureWebJobsStorage__blobServiceUri": "https://contosowest.blob.core.windows.net"}, ["west"]),
        ({"AzureWebJobsStorage__accountName": "contosofunctions"}, []),
        ({"AzureWebJobsStorage": ";;=x;AccountName="}, []),
        ({"AzureWebJobsStorage__blobServiceUri": "https://[x"}, []),
    ],
)
def test_a_store_in_the_hosts_own_account_is_found(environment: dict[str, str], stores: list[str]) -> None:
    assert stores_of_host(SETTINGS, {"WEST": WEST, **environment}) == stores
