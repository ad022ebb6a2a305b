"""MQTT: an operator's own broker, which the hub keeps told of who may log in, and reads from as one of its clients."""
