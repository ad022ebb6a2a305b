"""What hangs where at a site: every revision of its tap tree, as it was signed."""
