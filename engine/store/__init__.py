"""The only room that speaks SQL: one connection, its migrations, and one small class a table family."""
