"""What everything settled adds up to, for whoever asks for proof."""
