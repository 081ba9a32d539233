// The app that backs up Azure AI Search, the stores of its snapshots, and what watches it. See docs/deploy.md.
targetScope = 'subscription'

// A storage account for snapshots. `name` is what settings call it.
type store = {
  name: string
  region: string
}

// An existing search service. `name` is what settings call it; `store` is where its snapshots go; with `restore`, the app
// may also write to it.
type service = {
  name: string
  resourceId: string
  region: string
  tier: string
  store: string
  restore: bool
}

@description('The name of this deployment, in the names of its resources.')
@minLength(1)
@maxLength(24)
param environmentName string

@description('The region of the app.')
param location string

@description('The stores: one in each region that has a search service.')
param stores store[]

@description('The search services, in this subscription or another of the tenant.')
param services service[]

@description('What is backed up by itself: the policies of the settings, as in docs/settings.md.')
param policies object

@description('Other members of the settings, such as allow_cross_region.')
param otherSettings object = {}

@description('Whether the app prunes. Without it, no identity of the app can delete a snapshot, and policies have no `keep`.')
param pruneInApp bool = true

@description('Object ids of users, groups or apps that prune from elsewhere.')
param pruners string[] = []

@description('The redundancy of the stores.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param storeRedundancy string = 'Standard_ZRS'

@description('For how many days nobody can delete or change what is in a snapshot container; 0 for none.')
@minValue(0)
@maxValue(146000)
param immutabilityDays int = 0

@description('For how many days deleted blobs and containers can be brought back.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 14

@description('After how many days snapshots move to the cool tier; 0 for never.')
@minValue(0)
param coolAfterDays int = 0

@description('When the app looks for due policies: six fields, UTC.')
param tick string = '0 */5 * * * *'

@description('How long runs are remembered.')
@minValue(1)
param historyDays int = 30

@description('How people sign in to the status page: with a function key, or through the platform\'s authentication, which you then have to turn on.')
@allowed(['key', 'platform'])
param pageSignIn string = 'key'

@description('The resource id of the key vault that has the record key; empty for none. See docs/security.md.')
param recordKeyVaultId string = ''

@description('The name of the secret that is the record key.')
param recordKeySecret string = 'indexvault-record-key'

@description('Who gets e-mails about alerts.')
param alertEmails string[] = []

@description('How old the newest complete snapshot of an index may become.')
@minValue(1)
param recoveryPointHours int = 26

@description('Whether storage and search services are reached over private endpoints only.')
param privateNetwork bool = false

@description('The address space of the virtual network: a /24 or larger.')
param addressSpace string = '10.90.0.0/24'

@description('The most instances of the app.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 40

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var recordKeyVariable = empty(recordKeyVaultId) ? '' : 'INDEXVAULT_RECORD_KEY'
// Without a vault, a group that exists: a module that is left out needs a scope too.
var ownPath = '/subscriptions/${subscription().subscriptionId}/resourceGroups/rg-${environmentName}'
var vaultPath = split(empty(recordKeyVaultId) ? ownPath : recordKeyVaultId, '/')
var vaultName = last(split(recordKeyVaultId, '/'))
var recordKeyReference = '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=${recordKeySecret})'
var storeIdentities = [identities.outputs.read.id, identities.outputs.write.id]
var snapshotsContainer = 'search-snapshots'
var runsContainer = 'search-runs'
// The store's name decides the account's: what becomes of other stores, or of the app, changes no account.
var accounts = [for each in stores: 'stiv${uniqueString(subscription().id, environmentName, each.name)}']
var storeSettings = [for (each, i) in stores: { name: each.name, region: each.region, account: accounts[i] }]

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: { environmentName: environmentName, location: location, tags: tags }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    publisherId: identities.outputs.host.principalId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: { environmentName: environmentName, location: location, tags: tags, addressSpace: addressSpace }
}

module hostStorage 'modules/host-storage.bicep' = {
  name: 'host-storage'
  scope: group
  params: {
    name: 'sthost${token}'
    location: location
    tags: tags
    hostPrincipalId: identities.outputs.host.principalId
    privateNetwork: privateNetwork
  }
}

module writerRole 'modules/writer-role.bicep' = {
  name: 'writer-role'
  scope: group
}

module storeAccounts 'modules/store.bicep' = [for (each, i) in stores: {
  name: 'store-${each.name}'
  scope: group
  params: {
    name: accounts[i]
    location: each.region
    tags: tags
    redundancy: storeRedundancy
    snapshotsContainer: snapshotsContainer
    runsContainer: runsContainer
    immutabilityDays: immutabilityDays
    softDeleteDays: softDeleteDays
    coolAfterDays: coolAfterDays
    privateNetwork: privateNetwork
    readPrincipalId: identities.outputs.read.principalId
    writePrincipalId: identities.outputs.write.principalId
    prunePrincipalId: pruneInApp ? identities.outputs.prune.principalId : ''
    pruners: pruners
    writerRoleId: writerRole.outputs.id
  }
}]

module searchRoles 'modules/search-roles.bicep' = [for each in services: {
  name: 'roles-${environmentName}-${each.name}'
  scope: resourceGroup(split(each.resourceId, '/')[2], split(each.resourceId, '/')[4])
  params: {
    service: last(split(each.resourceId, '/'))
    principalId: identities.outputs.search.principalId
    restore: each.restore
  }
}]

module vaultRole 'modules/vault-role.bicep' = if (!empty(recordKeyVaultId)) {
  name: 'record-key-${environmentName}'
  scope: resourceGroup(vaultPath[2], vaultPath[4])
  params: {
    vault: vaultName
    secret: recordKeySecret
    principalId: identities.outputs.host.principalId
  }
}

module settings 'modules/settings.bicep' = {
  name: 'settings'
  scope: group
  params: {
    stores: storeSettings
    services: services
    policies: policies
    otherSettings: otherSettings
    recordKeyVariable: recordKeyVariable
    identities: {
      read: identities.outputs.read.clientId
      write: identities.outputs.write.clientId
      // An identity without the right to delete looks at the container's policies instead.
      prune: (pruneInApp ? identities.outputs.prune : identities.outputs.read).clientId
    }
  }
}

module hostEndpoints 'modules/private-endpoint.bicep' = [for kind in ['blob', 'queue', 'table']: if (privateNetwork) {
  name: 'endpoint-host-${kind}'
  scope: group
  params: {
    name: 'pe-${environmentName}-host-${kind}'
    location: location
    tags: tags
    subnetId: network!.outputs.endpointsSubnetId
    targetId: hostStorage.outputs.id
    kind: kind
    zoneId: network!.outputs.zoneIds[kind]
  }
}]

module storeEndpoints 'modules/private-endpoint.bicep' = [for (each, i) in stores: if (privateNetwork) {
  name: 'endpoint-store-${each.name}'
  scope: group
  params: {
    name: 'pe-${environmentName}-store-${each.name}'
    location: location
    tags: tags
    subnetId: network!.outputs.endpointsSubnetId
    targetId: storeAccounts[i].outputs.id
    kind: 'blob'
    zoneId: network!.outputs.zoneIds.blob
  }
}]

module searchEndpoints 'modules/private-endpoint.bicep' = [for each in services: if (privateNetwork) {
  name: 'endpoint-search-${each.name}'
  scope: group
  params: {
    name: 'pe-${environmentName}-search-${each.name}'
    location: location
    tags: tags
    subnetId: network!.outputs.endpointsSubnetId
    targetId: each.resourceId
    kind: 'searchService'
    zoneId: network!.outputs.zoneIds.searchService
  }
}]

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    name: 'func-${environmentName}-${token}'
    location: location
    tags: tags
    hostIdentity: identities.outputs.host
    searchIdentity: identities.outputs.search
    // An app that does not prune holds no identity that could.
    storeIdentityIds: concat(storeIdentities, pruneInApp ? [identities.outputs.prune.id] : [])
    hostAccount: hostStorage.outputs.name
    packageContainerUrl: hostStorage.outputs.packageContainerUrl
    insightsConnectionString: monitoring.outputs.connectionString
    settings: settings.outputs.settings
    tick: tick
    historyDays: historyDays
    pageSignIn: pageSignIn
    recordKeyReference: empty(recordKeyVaultId) ? '' : recordKeyReference
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    maximumInstances: maximumInstances
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    emails: alertEmails
    recoveryPointHours: recoveryPointHours
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output INDEXVAULT_APP string = app.outputs.name
output INDEXVAULT_URL string = app.outputs.url
output INDEXVAULT_CONFIG string = settings.outputs.settings
