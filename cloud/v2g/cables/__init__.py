"""The cables the cloud knows: whose each is, the key it signs with, and whether it was reported stolen or revoked."""
