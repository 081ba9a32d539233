// Front Door before a search-aware client in each of two regions. See docs/routing.md.
// Deploy it into a resource group: az deployment group create --template-file infra/routing/front-door.bicep …

// A client in one region: the host name that serves it in public, and its place in the order. `enabled` is false while
// the side must get no traffic, whatever its probe says.
type client = {
  name: string
  host: string
  enabled: bool
}

@description('The name of the profile, and the first part of its address.')
param name string

@description('The clients. Of those whose probe is answered with 200, the first gets the traffic.')
param clients client[]

@description('The path at which each client tells the health of the search service in its region.')
param probePath string = '/health'

@description('Seconds between two probes of one edge location; there are hundreds of them.')
@minValue(5)
@maxValue(255)
param probeSeconds int = 30

param tags object = {}

resource profile 'Microsoft.Cdn/profiles@2024-02-01' = {
  name: name
  location: 'global'
  tags: tags
  sku: { name: 'Standard_AzureFrontDoor' }
  properties: { originResponseTimeoutSeconds: 60 }
}

resource endpoint 'Microsoft.Cdn/profiles/afdEndpoints@2024-02-01' = {
  parent: profile
  name: name
  location: 'global'
  tags: tags
  properties: { enabledState: 'Enabled' }
}

resource group 'Microsoft.Cdn/profiles/originGroups@2024-02-01' = {
  parent: profile
  name: 'clients'
  properties: {
    sessionAffinityState: 'Disabled'
    healthProbeSettings: {
      probePath: probePath
      probeProtocol: 'Https'
      probeRequestType: 'HEAD'
      probeIntervalInSeconds: probeSeconds
    }
    // Two failures of four take an origin out.
    loadBalancingSettings: { sampleSize: 4, successfulSamplesRequired: 3, additionalLatencyInMilliseconds: 0 }
  }
}

resource origins 'Microsoft.Cdn/profiles/originGroups/origins@2024-02-01' = [for (each, i) in clients: {
  parent: group
  name: each.name
  properties: {
    hostName: each.host
    // A client, like a search service, knows its own name and not that of Front Door.
    originHostHeader: each.host
    httpPort: 80
    httpsPort: 443
    enforceCertificateNameCheck: true
    priority: i + 1
    weight: 1000
    enabledState: each.enabled ? 'Enabled' : 'Disabled'
  }
}]

resource route 'Microsoft.Cdn/profiles/afdEndpoints/routes@2024-02-01' = {
  parent: endpoint
  name: 'search'
  dependsOn: [origins]
  properties: {
    originGroup: { id: group.id }
    supportedProtocols: ['Http', 'Https']
    patternsToMatch: ['/*']
    forwardingProtocol: 'HttpsOnly'
    httpsRedirect: 'Enabled'
    linkToDefaultDomain: 'Enabled'
    enabledState: 'Enabled'
  }
}

output host string = endpoint.properties.hostName
