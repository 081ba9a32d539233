// Writes new blobs and reads them, overwrites and deletes none. It reads what it has written when another account copies
// from here, and looks whether the container exists.
var here = resourceGroup().id

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(here, 'indexvault-writer')
  properties: {
    roleName: 'indexvault writer (${resourceGroup().name})'
    description: 'Adds snapshots. Overwrites and deletes nothing.'
    type: 'CustomRole'
    assignableScopes: [here]
    permissions: [
      {
        actions: ['Microsoft.Storage/storageAccounts/blobServices/containers/read']
        notActions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
        ]
        notDataActions: []
      }
    ]
  }
}

output id string = role.id
