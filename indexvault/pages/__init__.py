"""The status page: HTML made on the server, from facts and from what the API answers."""
