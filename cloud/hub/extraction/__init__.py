"""What upper systems ask of the record: readings by device, kind, site, place and time, handed out page by page."""
