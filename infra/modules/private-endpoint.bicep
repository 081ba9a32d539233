// A private endpoint of one resource, with its name in a private zone.
param name string
param location string
param tags object
param subnetId string
param targetId string
param kind string
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: kind
        properties: { privateLinkServiceId: targetId, groupIds: [kind] }
      }
    ]
  }
}

resource zone 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: kind, properties: { privateDnsZoneId: zoneId } }]
  }
}
