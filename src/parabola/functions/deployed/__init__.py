"""What is deployed, how it is named, and who calls it."""
