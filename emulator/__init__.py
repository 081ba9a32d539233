"""A local Azure AI Search for development and tests; see README.md for what it is not.

`python -m emulator` starts it as a program, `emulator.server.running` inside a test.
"""
