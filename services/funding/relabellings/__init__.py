"""Money of one stream, or a part of it, that counts under the name of another in some months."""
