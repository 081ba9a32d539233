"""What a pair of services would survive and what not, check by check, each with what to do."""
