"""The review of the teacher's answers, one key per decision."""
