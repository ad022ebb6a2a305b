"""The terms of V2G in a community: what is paid, how closely a meter must agree, and what takes permission away."""
