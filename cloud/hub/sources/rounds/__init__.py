"""One pull after another of each maker's cloud, each by one process at a time."""
