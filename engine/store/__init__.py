"""The only room that speaks SQL: the connection, its migrations, and one small class per table family."""
