// Lets the app read one secret of an existing key vault: the record key.
import { roles } from '../roles.bicep'

param vault string
param secret string
param principalId string

resource keys 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vault
}

resource recordKey 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = {
  parent: keys
  name: secret
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(recordKey.id, principalId, roles.keyVaultSecretsUser)
  scope: recordKey
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}
