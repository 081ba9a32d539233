// The Functions app on Flex Consumption. Its package is built beforehand and holds the libraries: see azure.yaml.
param name string
param location string
param tags object
@description('Runs the app: its own storage, its package, Application Insights.')
param hostIdentity object
@description('Reaches the search services.')
param searchIdentity object
param storeIdentityIds string[]
param hostAccount string
param packageContainerUrl string
param insightsConnectionString string
param settings string
param tick string
param historyDays int

@description('`key` or `platform`: how people sign in to the status page.')
param pageSignIn string
param recordKeyReference string
param subnetId string
param maximumInstances int

var identityIds = concat([hostIdentity.id, searchIdentity.id], storeIdentityIds)
var recordKeySetting = empty(recordKeyReference) ? {} : { INDEXVAULT_RECORD_KEY: recordKeyReference }

resource plan 'Microsoft.Web/serverfarms@2025-05-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2025-05-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: toObject(identityIds, id => id, id => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: hostIdentity.id
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: hostIdentity.id }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: { instanceMemoryMB: 2048, maximumInstanceCount: maximumInstances }
    }
    siteConfig: { minTlsVersion: '1.2' }
  }
}

resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-05-01' = {
  parent: site
  name: 'ftp'
  properties: { allow: false }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-05-01' = {
  parent: site
  name: 'scm'
  properties: { allow: false }
}

// FUNCTIONS_WORKER_RUNTIME is not among them: on this plan the runtime is in functionAppConfig.
resource appSettings 'Microsoft.Web/sites/config@2025-05-01' = {
  parent: site
  name: 'appsettings'
  properties: union({
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${hostIdentity.clientId};Authorization=AAD'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    AZURE_CLIENT_ID: searchIdentity.clientId
    AZURE_TRACING_ENABLED: 'false'
    AzureWebJobsStorage__accountName: hostAccount
    AzureWebJobsStorage__clientId: hostIdentity.clientId
    AzureWebJobsStorage__credential: 'managedidentity'
    INDEXVAULT_CONFIG: settings
    INDEXVAULT_HISTORY_DAYS: string(historyDays)
    INDEXVAULT_PAGE_SIGN_IN: pageSignIn
    INDEXVAULT_TICK: tick
    PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  }, recordKeySetting)
}

output name string = site.name
output url string = 'https://${site.properties.defaultHostName}'
