// A storage account for snapshots: one container that is written once, and one for locks, pins and records of runs.
import { roles } from '../roles.bicep'

param name string
param location string
param tags object
param redundancy string
param snapshotsContainer string
param runsContainer string
param immutabilityDays int
param softDeleteDays int
param coolAfterDays int
param privateNetwork bool
param readPrincipalId string
param writePrincipalId string
@description('Empty if the app does not prune.')
param prunePrincipalId string
param pruners string[]
param writerRoleId string

// Snapshots are deleted by prunes alone, which know what is still needed: no rule here deletes a blob, only what a
// deletion left behind if somebody turns versioning on.
var versionsRule = {
  name: 'delete-versions'
  type: 'Lifecycle'
  enabled: true
  definition: {
    filters: { blobTypes: ['blockBlob'], prefixMatch: ['${snapshotsContainer}/', '${runsContainer}/'] }
    actions: { version: { delete: { daysAfterCreationGreaterThan: softDeleteDays } } }
  }
}
var coolRule = {
  name: 'cool-snapshots'
  type: 'Lifecycle'
  enabled: true
  definition: {
    filters: { blobTypes: ['blockBlob'], prefixMatch: ['${snapshotsContainer}/'] }
    actions: { baseBlob: { tierToCool: { daysAfterCreationGreaterThan: coolAfterDays } } }
  }
}

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    networkAcls: { bypass: 'None', defaultAction: privateNetwork ? 'Deny' : 'Allow' }
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    supportsHttpsTrafficOnly: true
  }
}

// Without versioning: it would keep a version of each lock and checkpoint. See docs/keeping-snapshots.md.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: false
    deleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }
  }
}

resource snapshots 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: snapshotsContainer
  properties: { publicAccess: 'None' }
}

resource runs 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: runsContainer
  properties: { publicAccess: 'None' }
}

// It is not locked: whoever owns the account can still shorten it. See docs/deploy.md.
resource immutability 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-06-01' = if (immutabilityDays > 0) {
  parent: snapshots
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: immutabilityDays
    allowProtectedAppendWrites: false
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: { rules: concat([versionsRule], coolAfterDays > 0 ? [coolRule] : []) }
  }
  dependsOn: [blobs]
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(snapshots.id, readPrincipalId, roles.blobDataReader)
  scope: snapshots
  properties: {
    principalId: readPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataReader)
  }
}

resource writer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(snapshots.id, writePrincipalId, 'indexvault-writer')
  scope: snapshots
  properties: {
    principalId: writePrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: writerRoleId
  }
}

resource runsWriter 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(runs.id, writePrincipalId, roles.blobDataContributor)
  scope: runs
  properties: {
    principalId: writePrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}

resource pruner 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(prunePrincipalId)) {
  name: guid(snapshots.id, prunePrincipalId, roles.blobDataContributor)
  scope: snapshots
  properties: {
    principalId: prunePrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}

resource othersOnSnapshots 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for each in pruners: {
  name: guid(snapshots.id, each, roles.blobDataContributor)
  scope: snapshots
  properties: {
    principalId: each
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]

resource othersOnRuns 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for each in pruners: {
  name: guid(runs.id, each, roles.blobDataContributor)
  scope: runs
  properties: {
    principalId: each
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]

output id string = account.id
