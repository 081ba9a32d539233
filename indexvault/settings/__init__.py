"""What is configured: services, stores, and the clients opened for their names."""
