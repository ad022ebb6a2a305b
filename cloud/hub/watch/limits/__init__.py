"""The limits that staff and providers set: of the community, a piece of equipment, a connected system."""
