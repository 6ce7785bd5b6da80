"""What is to be delivered for the money: by everybody, or instead of it or beside it under a local variation."""
