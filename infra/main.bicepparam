// What you set. `azd up` reads the first two from its environment; the rest is yours to change. See docs/deploy.md.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'indexvault')
param location = readEnvironmentVariable('AZURE_LOCATION', 'eastus')

param stores = [
  { name: 'east', region: 'eastus' }
]

param services = [
  {
    name: 'contoso-east'
    resourceId: '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/search/providers/Microsoft.Search/searchServices/contoso-east'
    region: 'eastus'
    tier: 'standard'
    store: 'east'
    restore: false
  }
]

param policies = {
  nightly: {
    service: 'contoso-east'
    indexes: ['*', '!tmp-*']
    schedule: '0 0 2 * * *'
    keep: { last: 3, daily: 7, weekly: 4, monthly: 6 }
  }
}

param alertEmails = []
