"""The review of the teacher's answers, one key a decision."""
