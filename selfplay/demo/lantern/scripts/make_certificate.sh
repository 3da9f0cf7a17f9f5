#!/bin/sh
# Make a self-signed certificate for tests and print its fingerprint.
# Usage: scripts/make_certificate.sh DIRECTORY [HOST]
set -eu
where=${1:?directory for server.pem and server.key}
host=${2:-localhost}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
    -keyout "$where/server.key" -out "$where/server.pem"
chmod 600 "$where/server.key"
openssl x509 -in "$where/server.pem" -noout -fingerprint -sha256
