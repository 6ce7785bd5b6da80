#!/bin/sh
# Run once for a new stack: passwords nobody has to choose, in volumes only those who need them can see.
set -eu
for keys in bank-keys reply-keys; do
    [ -s /secrets/services/$keys ] && continue
    (umask 077
     python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())' > /secrets/services/$keys.new
     mv /secrets/services/$keys.new /secrets/services/$keys)
done
[ -s /secrets/services/pgpass ] && exit 0
random() { python -c 'import secrets; print(secrets.token_urlsafe(32))'; }
umask 022
random > /secrets/database/superuser
: > /secrets/database/services
umask 077
: > /secrets/services/pgpass.new
for service in registry funding workforce reporting; do
    password=$(random)
    echo "$service $password" >> /secrets/database/services
    echo "postgres:5432:$service:$service:$password" >> /secrets/services/pgpass.new
done
mv /secrets/services/pgpass.new /secrets/services/pgpass
