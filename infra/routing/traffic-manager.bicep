// Traffic Manager before a search-aware client in each of two regions. See docs/routing.md.
// Deploy it into a resource group: az deployment group create --template-file infra/routing/traffic-manager.bicep …

// A client in one region: the host name that serves it in public, and its place in the order. `enabled` is false while
// the side must get no traffic, whatever its probe says.
type client = {
  name: string
  host: string
  region: string
  enabled: bool
}

@description('The name of the profile, and of its address: NAME.trafficmanager.net.')
param name string

@description('The clients. Of those whose probe is answered with 200, the first gets the traffic.')
param clients client[]

@description('The path at which each client tells the health of the search service in its region.')
param probePath string = '/health'

@description('For how many seconds resolvers keep an answer.')
@minValue(0)
param ttlSeconds int = 30

param tags object = {}

resource profile 'Microsoft.Network/trafficmanagerprofiles@2022-04-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    profileStatus: 'Enabled'
    trafficRoutingMethod: 'Priority'
    dnsConfig: { relativeName: name, ttl: ttlSeconds }
    monitorConfig: {
      protocol: 'HTTPS'
      port: 443
      path: probePath
      // As often as answers are made anew, and longer than one can take.
      intervalInSeconds: 10
      timeoutInSeconds: 9
      toleratedNumberOfFailures: 3
    }
    endpoints: [for (each, i) in clients: {
      name: each.name
      type: 'Microsoft.Network/trafficManagerProfiles/externalEndpoints'
      properties: {
        target: each.host
        endpointLocation: each.region
        endpointStatus: each.enabled ? 'Enabled' : 'Disabled'
        priority: i + 1
      }
    }]
  }
}

output host string = '${name}.trafficmanager.net'
