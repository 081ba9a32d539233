// Two regions: each has a search service and a store, and each store gets a copy of the other's snapshots.
// Deploy it in place of main.bicepparam: see docs/deploy.md.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'indexvault')
// The app outlives the primary's region in the standby's: see docs/routing.md.
param location = readEnvironmentVariable('AZURE_LOCATION', 'westus2')

param stores = [
  { name: 'east', region: 'eastus' }
  { name: 'west', region: 'westus2' }
]

param services = [
  {
    name: 'contoso-east'
    resourceId: '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/search/providers/Microsoft.Search/searchServices/contoso-east'
    region: 'eastus'
    tier: 'standard'
    store: 'east'
    restore: true
  }
  {
    name: 'contoso-west'
    resourceId: '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/search/providers/Microsoft.Search/searchServices/contoso-west'
    region: 'westus2'
    tier: 'standard'
    store: 'west'
    restore: true
  }
]

param policies = {
  'nightly-east': {
    service: 'contoso-east'
    schedule: '0 0 2 * * *'
    keep: { last: 3, daily: 7, weekly: 4, monthly: 6 }
    replicate_to: ['west']
  }
  'nightly-west': {
    service: 'contoso-west'
    schedule: '0 0 10 * * *'
    keep: { last: 3, daily: 7, weekly: 4, monthly: 6 }
    replicate_to: ['east']
  }
}

// A restore from one region into the other is what the pair is for.
param otherSettings = { allow_cross_region: true }

param immutabilityDays = 7
param alertEmails = []
