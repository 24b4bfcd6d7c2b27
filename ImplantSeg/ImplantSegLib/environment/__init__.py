"""What this installation consists of and what it lacks, for bug reports and for the Environment panel."""
