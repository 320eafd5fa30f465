"""What is measured of streamssl, from a checkout: quality, speed, and faults on a real Kafka."""
