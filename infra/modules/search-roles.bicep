// What the app may do on an existing search service. The service must accept Entra identities.
import { roles } from '../roles.bicep'

param service string
param principalId string
param restore bool

var toRead = [roles.reader, roles.searchIndexDataReader]
var toWrite = [roles.searchServiceContributor, roles.searchIndexDataContributor]
var given = concat(toRead, restore ? toWrite : [])

resource search 'Microsoft.Search/searchServices@2025-05-01' existing = {
  name: service
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in given: {
  name: guid(search.id, principalId, role)
  scope: search
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]
