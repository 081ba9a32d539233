// An identity for each purpose. The app holds them; what each may do is in the other modules.
param environmentName string
param location string
param tags object

resource host 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${environmentName}-host'
  location: location
  tags: tags
}

resource search 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${environmentName}-search'
  location: location
  tags: tags
}

resource read 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${environmentName}-read'
  location: location
  tags: tags
}

resource write 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${environmentName}-write'
  location: location
  tags: tags
}

resource prune 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${environmentName}-prune'
  location: location
  tags: tags
}

output host object = { id: host.id, clientId: host.properties.clientId, principalId: host.properties.principalId }
output search object = { id: search.id, clientId: search.properties.clientId, principalId: search.properties.principalId }
output read object = { id: read.id, clientId: read.properties.clientId, principalId: read.properties.principalId }
output write object = { id: write.id, clientId: write.properties.clientId, principalId: write.properties.principalId }
output prune object = { id: prune.id, clientId: prune.properties.clientId, principalId: prune.properties.principalId }
