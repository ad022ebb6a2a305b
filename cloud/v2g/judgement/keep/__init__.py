"""What a judgement came to, kept: the periods' outcomes, and the flag of a site that has lost its permission."""
