"""Pull drivers: every file here is one, and is found by lying here. It must not touch the database.

A driver of one's own is a file with one entry point:

    DRIVER = Driver(name="acme", about="What it reads", description=AcmeDescription, pull=pull)

`description` is a `cloud.endpoint.Body`, and `pull` takes a `cloud.hub.pull.driver.Round` and yields `Pulled`.
"""
