"""Which periods nobody has judged yet, and where something new speaks for or against what is open."""
