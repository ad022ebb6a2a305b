"""What moved an owner's points beside energy."""
