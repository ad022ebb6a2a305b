"""The second judgement: every period of a cable at a site, held against what the cable signed and the meters say."""
