"""The database of projects, people under pseudonyms, sessions, consent, jobs and results, and the
files that belong to them. It knows no HTTP; SQL stands nowhere else."""
