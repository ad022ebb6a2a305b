"""The way back for a site that contradicted itself: a person looks at what is held, and lifts the quarantine."""
