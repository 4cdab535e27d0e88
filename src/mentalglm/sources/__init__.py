"""Published sets, one small file each: what is known of them, and how they are read."""
