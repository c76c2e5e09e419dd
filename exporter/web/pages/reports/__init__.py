"""Pages about reports: domains over time, one domain, one report, and exports."""
