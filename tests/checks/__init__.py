"""What Home Assistant's validator and HACS ask of a custom integration: each check names what is wrong in a folder.

A check takes the integration's folder and returns its complaints, so that a test can also hold it against a broken
copy, and against the integrations that Home Assistant itself ships.
"""
