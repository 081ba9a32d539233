// An internal Application Gateway before a search-aware client in each of two regions, for callers in a virtual network.
// The gateway is in one region: each region with callers needs its own. See docs/routing.md.
// Deploy it into a resource group: az deployment group create --template-file infra/routing/application-gateway.bicep …

// A client in one region: the host name by which the network reaches it, such as that of its private endpoint.
// `enabled` is false while the side must get no traffic, whatever its probe says.
type client = {
  name: string
  host: string
  enabled: bool
}

param name string
param location string

@description('The clients. Those whose probe is answered with 200 share the traffic.')
param clients client[]

@description('The id of a subnet of this region that holds application gateways and nothing else.')
param subnetId string

@description('The address that the gateway listens at: a free one of the subnet.')
param privateAddress string

@description('The id of the certificate for callers: a secret of a key vault, without its version.')
param certificateSecretId string

@description('The id of the user-assigned identity that may read the certificate.')
param identityId string

@description('The path at which each client tells the health of the search service in its region.')
param probePath string = '/health'

@description('The zones of the region that the gateway is in; none where the region has none.')
param zones string[] = ['1', '2', '3']

@description('The most instances of the gateway.')
@minValue(2)
@maxValue(125)
param maximumCapacity int = 4

param tags object = {}

var gatewayId = resourceId('Microsoft.Network/applicationGateways', name)
var enabledClients = filter(clients, each => each.enabled)

// A gateway of this generation has a public address. Nothing listens at it.
resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  zones: zones
  properties: { publicIPAllocationMethod: 'Static' }
}

resource gateway 'Microsoft.Network/applicationGateways@2024-05-01' = {
  name: name
  location: location
  tags: tags
  zones: zones
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    sku: { name: 'Standard_v2', tier: 'Standard_v2' }
    autoscaleConfiguration: { minCapacity: 1, maxCapacity: maximumCapacity }
    gatewayIPConfigurations: [{ name: 'subnet', properties: { subnet: { id: subnetId } } }]
    frontendIPConfigurations: [
      { name: 'public', properties: { publicIPAddress: { id: address.id } } }
      {
        name: 'private'
        properties: {
          subnet: { id: subnetId }
          privateIPAddress: privateAddress
          privateIPAllocationMethod: 'Static'
        }
      }
    ]
    frontendPorts: [{ name: 'https', properties: { port: 443 } }]
    sslCertificates: [{ name: 'callers', properties: { keyVaultSecretId: certificateSecretId } }]
    sslPolicy: { policyType: 'Predefined', policyName: 'AppGwSslPolicy20220101' }
    httpListeners: [
      {
        name: 'callers'
        properties: {
          frontendIPConfiguration: { id: '${gatewayId}/frontendIPConfigurations/private' }
          frontendPort: { id: '${gatewayId}/frontendPorts/https' }
          protocol: 'Https'
          sslCertificate: { id: '${gatewayId}/sslCertificates/callers' }
        }
      }
    ]
    backendAddressPools: [
      {
        name: 'clients'
        // One without clients would answer 502 to everybody: at least one is enabled.
        properties: { backendAddresses: map(enabledClients, each => { fqdn: each.host }) }
      }
    ]
    probes: [
      {
        name: 'health'
        properties: {
          protocol: 'Https'
          path: probePath
          pickHostNameFromBackendHttpSettings: true
          // As often as answers are made anew, and longer than one can take.
          interval: 10
          timeout: 9
          unhealthyThreshold: 3
          // Without it, a redirection would count as healthy.
          match: { statusCodes: ['200'] }
        }
      }
    ]
    backendHttpSettingsCollection: [
      {
        name: 'clients'
        properties: {
          protocol: 'Https'
          port: 443
          cookieBasedAffinity: 'Disabled'
          // A client, like a search service, knows its own name and not that of the gateway.
          pickHostNameFromBackendAddress: true
          requestTimeout: 60
          connectionDraining: { enabled: true, drainTimeoutInSec: 30 }
          probe: { id: '${gatewayId}/probes/health' }
        }
      }
    ]
    requestRoutingRules: [
      {
        name: 'callers'
        properties: {
          ruleType: 'Basic'
          priority: 100
          httpListener: { id: '${gatewayId}/httpListeners/callers' }
          backendAddressPool: { id: '${gatewayId}/backendAddressPools/clients' }
          backendHttpSettings: { id: '${gatewayId}/backendHttpSettingsCollection/clients' }
        }
      }
    ]
  }
}

output id string = gateway.id
