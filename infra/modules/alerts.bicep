// Alert rules on what the app's telemetry says; docs/functions-app.md describes it. A rule that finds no telemetry at all
// is an alert too: an app that has stopped reports nothing.
param environmentName string
param location string
param tags object
param workspaceId string
param emails string[]
param recoveryPointHours int

var ages = 'AppMetrics | where Name == "indexvault.snapshot.age"'
var byIndex = 'extend service = tostring(Properties["indexvault.service"]), index = tostring(Properties["indexvault.index"])'
var rules = [
  {
    name: 'snapshot-too-old'
    text: 'An index has no complete snapshot within ${recoveryPointHours} hours. See the runs of its policy: indexvault runs.'
    severity: 1
    // Several processes may know different snapshots, so the least age counts. Each record holds one age, as its sum.
    query: '${ages} | ${byIndex} | summarize seconds = min(Sum) by service, index | where seconds > ${recoveryPointHours * 3600}'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
    dimensions: ['service', 'index']
  }
  {
    name: 'snapshots-unknown'
    text: 'The app has reported no snapshot for two hours. Before the first backup has ended this is as it should be.'
    severity: 1
    query: ages
    window: 'PT2H'
    operator: 'LessThan'
    threshold: 1
    dimensions: []
  }
  {
    name: 'tick-stopped'
    text: 'The app has not looked for due policies for an hour. See whether it runs: GET /api/health.'
    severity: 1
    query: 'AppRequests | where Name contains "start_due_policies" and Success == true'
    window: 'PT1H'
    operator: 'LessThan'
    threshold: 1
    dimensions: []
  }
  {
    name: 'run-failed'
    text: 'A run has failed. See which, and why: indexvault runs.'
    severity: 2
    query: 'AppDependencies | where Name startswith "run_" and tostring(Properties["indexvault.state"]) == "failed" | extend run = tostring(Properties["indexvault.run"])'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
    dimensions: ['run']
  }
  {
    name: 'errors'
    text: 'The app has logged an error, such as damage that a verification found, or a copy to another store that failed.'
    severity: 2
    query: 'AppTraces | where SeverityLevel >= 3'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
    dimensions: []
  }
  {
    name: 'tampering'
    text: 'A record in a store was not signed with the record key. See docs/security.md, and indexvault records.'
    severity: 1
    query: 'AppTraces | where Message has "tampering:"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
    dimensions: []
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: 'ag-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'indexvault'
    emailReceivers: [for (each, i) in emails: {
      name: 'email-${i}'
      emailAddress: each
      useCommonAlertSchema: true
    }]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: 'alert-${environmentName}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'indexvault ${environmentName}: ${rule.name}'
    description: rule.text
    severity: rule.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT15M'
    windowSize: rule.window
    autoMitigate: true
    // The tables come into being with the first telemetry.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: rule.operator
          threshold: rule.threshold
          dimensions: map(rule.dimensions, name => { name: name, operator: 'Include', values: ['*'] })
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: empty(emails) ? [] : [people.id] }
  }
}]
