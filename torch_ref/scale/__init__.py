"""What has no twin in scratch: accelerators, and several processes."""
