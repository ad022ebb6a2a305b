"""Everything that is to be known of a site's periods before they are judged."""
