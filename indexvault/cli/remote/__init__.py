"""The verbs of the command line driven through the API of a deployment, instead of the engine in this process."""
