"""What a power provider bills a host by: the meter, and the cable energy that was not the host's."""
