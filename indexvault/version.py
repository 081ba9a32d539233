"""The version of indexvault: written here, because Azure Functions runs these files without installing them."""

VERSION = "0.1.0"
