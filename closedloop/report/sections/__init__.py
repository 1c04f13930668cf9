"""The sections of the report. Each gathers its data, and says in plain words what is missing."""
