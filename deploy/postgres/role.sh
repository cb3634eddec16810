#!/bin/sh
# Runs once, when the database is new: creates a role for the application, which is no superuser, and a
# database that it owns.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres << 'END'
\getenv password POSTGRES_PASSWORD
CREATE ROLE aimessage LOGIN PASSWORD :'password';
CREATE DATABASE aimessage OWNER aimessage ENCODING 'UTF8' TEMPLATE template0;
-- The superuser is for `docker compose exec database psql -U postgres`, and for nobody over the network.
ALTER ROLE postgres PASSWORD NULL;
END
