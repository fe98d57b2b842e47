"""Is a published number true? Claims and evidence in, checks and findings out."""
