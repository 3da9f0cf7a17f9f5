"""TLS: the server's side of the handshake, and the certificate it shows."""
