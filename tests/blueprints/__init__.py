"""The blueprints, loaded and run by Home Assistant itself."""
