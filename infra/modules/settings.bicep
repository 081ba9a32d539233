// The settings of indexvault, as docs/settings.md describes them, from what is deployed.
param stores array
param services array
param policies object
param otherSettings object
param recordKeyVariable string
@description('Client ids of the identities that work on stores, by purpose.')
param identities object

var storeMembers = toObject(stores, each => each.name, each => {
  account_url: 'https://${each.account}.blob.${environment().suffixes.storage}'
  region: each.region
  identities: identities
})
var serviceMembers = toObject(services, each => each.name, each => {
  endpoint: 'https://${last(split(each.resourceId, '/'))}.search.windows.net'
  region: each.region
  tier: each.tier
  store: each.store
  resource_id: each.resourceId
})
var recordKey = empty(recordKeyVariable) ? {} : { record_key: { env: recordKeyVariable } }

output settings string = string(union({ stores: storeMembers, services: serviceMembers, policies: policies }, recordKey, otherSettings))
