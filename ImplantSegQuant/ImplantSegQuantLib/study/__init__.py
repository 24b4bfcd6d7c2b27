"""Many samples at once: from a cohort file to the tables, figures and statistics of a paper."""
