"""What a connected system shows to be let in: its initial password once, its unique password from then on."""
